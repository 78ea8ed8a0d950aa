# SPDX-License-Identifier: Apache-2.0
"""Where text's vectors come from: ``KINEOGRAPH_KIMODO_ENCODER``.

    pack     phrases that were encoded before (default); any other prompt is an error with the nearest ones
    cpu      the package's own encoder on the CPU, for as long as it takes to encode and no longer (17 GB meanwhile)
    8bit     the same at 8 bits, on the model's own device (9.5 GB meanwhile)
    4bit     the same at 4 bits (6.5 GB meanwhile)
    server   the package's encoder server, at ``TEXT_ENCODER_URL``
    dummy    no text at all; the capabilities say so

What is encoded is kept: the second time it comes from the pack. Fewer bits make slightly other vectors; they are kept
apart, and give way to those of the whole encoder (``phrases``).
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence

import numpy as np

from kineograph.errors import ErrorCode, RequestError
from kineograph_daemon.backbones.kimodo import costs, phrases
from kineograph_daemon.backbones.kimodo.seam import Encoder, FloatArray, Runtime, Tell, unheard

ENCODER_ENV = "KINEOGRAPH_KIMODO_ENCODER"
LLM2VEC = "llm2vec-llama3-8b"
KINDS = ("pack", "cpu", "8bit", "4bit", "server", "dummy")
FEWER_BITS = ("8bit", "4bit")


class PackEncoder:
    """Knows the phrases of the packs."""

    reads = "phrases"

    def __init__(self, model: str) -> None:
        self.name = "pack"
        self._book = phrases.Book(model)

    def prepare(self, prompts: Sequence[str], tell: Tell = unheard) -> dict[str, FloatArray]:
        """From the packs, or ``prompt_not_in_pack``."""
        places = {p: i for i, p in reversed(list(enumerate(prompts)))}
        return self._book.find(_words(prompts), places)

    def missing(self, prompts: Sequence[str]) -> list[str]:
        """Nothing: what is not known is an error."""
        return []


class FullEncoder:
    """Encodes what is not in a pack, and keeps it."""

    reads = "full"

    def __init__(self, model: str, runtime: Runtime, kind: str, device: str = "cpu") -> None:
        self.name = kind
        self._device = device
        self._model = model
        self._runtime = runtime
        self._book = phrases.Book(model)

    def prepare(self, prompts: Sequence[str], tell: Tell = unheard) -> dict[str, FloatArray]:
        """From the packs, the rest encoded now; the encoder is let go before the model needs the memory."""
        missing = self.missing(prompts)
        if missing:
            made = encode(self._runtime, self.name, missing, self._device, tell)
            phrases.keep(self._model, name_of(self.name), made)
        return self._book.find(_words(prompts))

    def missing(self, prompts: Sequence[str]) -> list[str]:
        """What no pack has."""
        known = self._book.known
        return [p for p in _words(prompts) if p not in known]


class NoEncoder:
    """Every prompt is nothing. ``width`` is the encoder's that is not there."""

    reads = "ignored"
    name = "dummy"

    def __init__(self, width: int = 4096) -> None:
        self._width = width

    def prepare(self, prompts: Sequence[str], tell: Tell = unheard) -> dict[str, FloatArray]:
        """Zeros."""
        return {p: np.zeros(self._width, np.float32) for p in _words(prompts)}

    def missing(self, prompts: Sequence[str]) -> list[str]:
        """Nothing: nothing is read."""
        return []


def _words(prompts: Sequence[str]) -> list[str]:
    """Each prompt once; the empty one needs no vector."""
    return [p for p in dict.fromkeys(prompts) if p]


def name_of(kind: str) -> str:
    """What the vectors of a kind are kept under."""
    return f"{LLM2VEC}{phrases.FEWER}{kind}" if kind in FEWER_BITS else LLM2VEC


def encode(
    runtime: Runtime, kind: str, texts: Sequence[str], device: str = "cpu", tell: Tell = unheard
) -> dict[str, FloatArray]:
    """Vectors of sanitised texts by the package's encoder, which is let go afterwards.

    Raises ``resource_exhausted`` when the memory for it is known not to be there.
    """
    where = device if kind in FEWER_BITS else "cpu"
    if kind in costs.ENCODER_BYTES:
        costs.check_room("the text encoder", costs.ENCODER_BYTES[kind], runtime.free_bytes(where), where)
    book, what = costs.Costs(), f"encode {kind} {where}"
    tell(f"encoding {len(texts)} prompt{'s' * (len(texts) > 1)}{costs.about(book.seconds(what, len(texts)))}")
    began_s = time.monotonic()
    encoder = runtime.encoder(kind, where)
    try:
        made = np.asarray(encoder(list(texts)), np.float32)
    finally:
        del encoder
        gc.collect()
    book.learn(what, len(texts), time.monotonic() - began_s)
    return dict(zip(texts, made, strict=True))


def chosen(model: str, runtime: Runtime, device: str = "cpu") -> Encoder:
    """The encoder that the environment names. Raises ``invalid_parameters``."""
    kind = os.environ.get(ENCODER_ENV, "pack").strip().lower()
    match kind:
        case "pack":
            return PackEncoder(model)
        case "cpu" | "8bit" | "4bit" | "server":
            return FullEncoder(model, runtime, kind, device)
        case "dummy":
            return NoEncoder()
        case _:
            raise RequestError(
                ErrorCode.INVALID_PARAMETERS,
                f"{ENCODER_ENV} is {kind!r}",
                {"where": {"path": [ENCODER_ENV]}, "got": kind, "allowed": list(KINDS)},
            )
