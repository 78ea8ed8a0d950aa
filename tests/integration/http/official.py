# SPDX-License-Identifier: Apache-2.0
"""The official server of motionmcp-sdk in a process of its own: ``python -m tests.integration.http.official FILE``."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import uvicorn
from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError
from motionmcp.server import build_app
from tests.fakes.backbones import FPS_HZ, Raising, motion, skeleton
from tests.integration.http.models import Awaiting, AwaitingBatch, Plain


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


def models() -> list[Backbone]:
    """What it serves."""
    return [Plain(), Broad(), Awaiting(), AwaitingBatch(), Warming(), Raising()]


def main(port_file: str) -> None:
    """Serve until killed."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    Path(port_file).write_text(str(listener.getsockname()[1]), "utf-8")
    server = uvicorn.Server(uvicorn.Config(build_app(models()), log_level="error"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
