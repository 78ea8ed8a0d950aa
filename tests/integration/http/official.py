# SPDX-License-Identifier: Apache-2.0
"""The official server of motionmcp-sdk in a process of its own: ``python -m tests.integration.http.official FILE``.

With a folder as a second word it stands behind a gateway as services have one: see ``tests.integration.http.gateway``.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError
from motionmcp.server import build_app
from tests.fakes.backbones import FPS_HZ, Raising, motion, prompt_of, skeleton
from tests.integration.http.gateway import Gateway
from tests.integration.http.models import Awaiting, AwaitingBatch, Plain

PASSING = ("rate_limited", "resource_exhausted", "model_unavailable", "timeout")


class Broad(Plain):
    """Takes paths, keys, clips; tells in its notes what it was asked."""

    model_id = "broad"

    def capabilities(self) -> ModelSpec:
        return ModelSpec(
            id=self.model_id,
            fps=FPS_HZ,
            canonical_skeleton=skeleton(),
            supported_constraints=["root_path", "pose_keyframe"],
            supported_segments=["text", "unconditioned", "motion_reference"],
            supports_segment_seed=True,
        )

    def generate(self, request: GenerateRequest) -> MotionResult:
        made = motion(request)
        told = ",".join([*(s.type for s in request.segments), *(c.type for c in request.constraints)])
        made.notes = [{"code": "asked", "severity": "note", "message": told}]
        return made


class Warming(Awaiting):
    """Unavailable once, then there."""

    def __init__(self) -> None:
        self.asked = 0

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id="warming", fps=FPS_HZ, canonical_skeleton=skeleton())

    async def generate(self, request: GenerateRequest) -> MotionResult:
        self.asked += 1
        if self.asked == 1:
            raise ProtocolError("model_unavailable", "loading", details={"retry_after_s": 0.1})
        return motion(request)


class Held(Awaiting):
    """Waits until the file ``go`` is in the gateway's folder."""

    def __init__(self, folder: Path) -> None:
        self._go = folder / "go"

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id="held", fps=FPS_HZ, canonical_skeleton=skeleton())

    async def generate(self, request: GenerateRequest) -> MotionResult:
        while not self._go.exists():
            await asyncio.sleep(0.02)
        return motion(request)


class Saying(Plain):
    """Fails with the code that the prompt names; with one that passes, the first time only."""

    model_id = "saying"

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def generate(self, request: GenerateRequest) -> MotionResult:
        code = prompt_of(request)
        if code in PASSING and code in self.said:
            return motion(request)
        self.said.add(code)
        told = {"got": "Tail", "retry_after_s": 0.1} if code in PASSING else {"got": "Tail"}
        raise ProtocolError(code, f"said {code}", details=told)


def models() -> list[Backbone]:
    """What it serves."""
    return [Plain(), Broad(), Awaiting(), AwaitingBatch(), Warming(), Raising(), Saying()]


def main(port_file: str, gate: str = "") -> None:
    """Serve until killed."""
    app: Any = Gateway(build_app([*models(), Held(Path(gate))]), Path(gate)) if gate else build_app(models())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    Path(port_file).write_text(str(listener.getsockname()[1]), "utf-8")
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
