# SPDX-License-Identifier: Apache-2.0
"""Where text's vectors come from: ``KINEOGRAPH_KIMODO_ENCODER``.

    pack     phrases that were encoded before (default); any other prompt is an error with the nearest ones
    cpu      the package's own encoder on the CPU, for as long as it takes to encode and no longer (17 GB meanwhile)
    server   the package's encoder server, at ``TEXT_ENCODER_URL``
    dummy    no text at all; the capabilities say so

What ``cpu`` and ``server`` encode is kept: the second time it comes from the pack.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence

import numpy as np

from kineograph.errors import ErrorCode, RequestError
from kineograph_daemon.backbones.kimodo import phrases
from kineograph_daemon.backbones.kimodo.seam import Encoder, FloatArray, Runtime

ENCODER_ENV = "KINEOGRAPH_KIMODO_ENCODER"
LLM2VEC = "llm2vec-llama3-8b"
KINDS = ("pack", "cpu", "server", "dummy")


class PackEncoder:
    """Knows the phrases of the packs."""

    reads = "phrases"

    def __init__(self, model: str) -> None:
        self.name = "pack"
        self._book = phrases.Book(model)

    def prepare(self, prompts: Sequence[str]) -> dict[str, FloatArray]:
        """From the packs, or ``prompt_not_in_pack``."""
        places = {p: i for i, p in reversed(list(enumerate(prompts)))}
        return self._book.find(_words(prompts), places)


class FullEncoder:
    """Encodes what is not in a pack, and keeps it."""

    reads = "full"

    def __init__(self, model: str, runtime: Runtime, kind: str) -> None:
        self.name = kind
        self._model = model
        self._runtime = runtime
        self._book = phrases.Book(model)

    def prepare(self, prompts: Sequence[str]) -> dict[str, FloatArray]:
        """From the packs, the rest encoded now; the encoder is let go before the model needs the memory."""
        known = self._book.known
        missing = [p for p in _words(prompts) if p not in known]
        if missing:
            phrases.keep(self._model, LLM2VEC, encode(self._runtime, self.name, missing))
        return self._book.find(_words(prompts))


class NoEncoder:
    """Every prompt is nothing. ``width`` is the encoder's that is not there."""

    reads = "ignored"
    name = "dummy"

    def __init__(self, width: int = 4096) -> None:
        self._width = width

    def prepare(self, prompts: Sequence[str]) -> dict[str, FloatArray]:
        """Zeros."""
        return {p: np.zeros(self._width, np.float32) for p in _words(prompts)}


def _words(prompts: Sequence[str]) -> list[str]:
    """Each prompt once; the empty one needs no vector."""
    return [p for p in dict.fromkeys(prompts) if p]


def encode(runtime: Runtime, kind: str, texts: Sequence[str]) -> dict[str, FloatArray]:
    """Vectors of sanitised texts by the package's encoder, which is let go afterwards."""
    encoder = runtime.encoder(kind, "cpu")
    try:
        made = np.asarray(encoder(list(texts)), np.float32)
    finally:
        del encoder
        gc.collect()
    return dict(zip(texts, made, strict=True))


def chosen(model: str, runtime: Runtime) -> Encoder:
    """The encoder that the environment names. Raises ``invalid_parameters``."""
    kind = os.environ.get(ENCODER_ENV, "pack").strip().lower()
    match kind:
        case "pack":
            return PackEncoder(model)
        case "cpu" | "server":
            return FullEncoder(model, runtime, kind)
        case "dummy":
            return NoEncoder()
        case _:
            raise RequestError(
                ErrorCode.INVALID_PARAMETERS,
                f"{ENCODER_ENV} is {kind!r}",
                {"where": {"path": [ENCODER_ENV]}, "got": kind, "allowed": list(KINDS)},
            )
