# SPDX-License-Identifier: Apache-2.0
"""Models of other projects as their authors write them: MMCP's ``Backbone`` and nothing of ours."""

from __future__ import annotations

import asyncio
import os
import time

from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError
from tests.fakes.backbones import FPS_HZ, motion, prompt_of, skeleton


class Plain(Backbone):
    """A plain method, a life cycle, and an attribute in place of an early ``capabilities``."""

    model_id = "plain"

    def __init__(self) -> None:
        self.weights: list[str] | None = None

    def setup(self) -> None:
        """Weights are only here from now on."""
        self.weights = ["loaded"]
        _note("setup")

    def teardown(self) -> None:
        """Gone again."""
        self.weights = None
        _note("teardown")

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id=self.model_id, fps=FPS_HZ, canonical_skeleton=skeleton(), supported_constraints=["pin"])

    def generate(self, request: GenerateRequest) -> MotionResult:
        if self.weights is None:
            raise ProtocolError("model_unavailable", "set-up was not called")
        return motion(request)


class Awaiting(Backbone):
    """``async def`` throughout."""

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id="awaiting", fps=FPS_HZ, canonical_skeleton=skeleton())

    async def generate(self, request: GenerateRequest) -> MotionResult:
        await asyncio.sleep(20.0 if prompt_of(request) == "wait" else 0.01)
        return motion(request)


class AwaitingBatch(Awaiting):
    """One pass for many, awaited; tells the pass' size in a note."""

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id="awaiting-batch", fps=FPS_HZ, canonical_skeleton=skeleton())

    async def generate_batch(self, requests: list[GenerateRequest]) -> list[MotionResult | BaseException]:
        await asyncio.sleep(0.01)
        out: list[MotionResult | BaseException] = []
        for request in requests:
            made = motion(request)
            made.notes = [{"code": "pass_size", "severity": "note", "message": str(len(requests))}]
            bad = prompt_of(request) == "fail"
            out.append(ProtocolError("resource_exhausted", "no memory for this one") if bad else made)
        return out


class Later(Backbone):
    """Advertises that it answers with 202."""

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id="later", fps=FPS_HZ, canonical_skeleton=skeleton(), supports_async=True)

    def generate(self, request: GenerateRequest) -> MotionResult:
        time.sleep(0.3)
        return motion(request)


def _note(word: str) -> None:
    if file := os.environ.get("KINEOGRAPH_TEST_NOTES"):
        with open(file, "a", encoding="utf-8") as out:
            out.write(word + "\n")


def everything() -> dict[str, Backbone]:
    """A map from id to model, as ``motionmcp.serve`` takes one."""
    return {"plain": Plain(), "awaiting": Awaiting(), "awaiting-batch": AwaitingBatch(), "later": Later()}
