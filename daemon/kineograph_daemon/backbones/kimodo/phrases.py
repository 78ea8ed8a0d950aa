# SPDX-License-Identifier: Apache-2.0
"""Phrase packs: prompts and the vectors an encoder made of them, so that no encoder is needed to read them again.

An encoder's name may end with ``+8bit`` or ``+4bit``: the same encoder with fewer bits. Its vectors stand in for those
of the whole one where there are none.

A pack is an ``.npz`` with ``texts`` (N,) sanitised and unique, ``vectors`` (N, D) float16, ``encoder`` a name. Every
prompt that was ever encoded on this computer is in ``own.npz``; packs from elsewhere lie beside it. No pickle.
"""

from __future__ import annotations

import difflib
import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph import files, paths
from kineograph.errors import ErrorCode, RequestError, SceneError
from kineograph_daemon.backbones.kimodo import costs

_log = logging.getLogger(__name__)

OWN = "own.npz"
FEWER = "+"
MOST_BYTES = 2**31
_MOST_TEXTS = 200_000
_SUGGESTIONS = 3
Vectors = dict[str, NDArray[np.float16]]


def folder(model: str) -> Path:
    """Where the packs of a model lie."""
    return paths.private(paths.data_dir() / "phrases" / model)


def read(file: Path) -> tuple[str, Vectors]:
    """A pack's encoder and vectors by text. Raises ``file_unreadable`` for a file that is none."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        with file.open("rb") as data, np.lib.npyio.NpzFile(data, allow_pickle=False) as found:
            texts, vectors = found["texts"], found["vectors"]
            encoder = str(found["encoder"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as e:
        raise _unreadable(file, str(e) or type(e).__name__) from None
    right = vectors.ndim == 2 and texts.ndim == 1 and len(texts) == len(vectors) <= _MOST_TEXTS
    if not right or texts.dtype.kind != "U" or vectors.dtype != np.float16 or not np.isfinite(vectors).all():
        raise _unreadable(file, "its texts and vectors do not fit together")
    return encoder, {str(text): vector for text, vector in zip(texts, vectors, strict=True)}


def write(file: Path, encoder: str, vectors: Mapping[str, NDArray[Any]]) -> None:
    """A pack, whole or not at all. Raises ``file_unreadable`` when it cannot be written."""
    values = np.stack([np.asarray(v, np.float16) for v in vectors.values()]) if vectors else np.zeros((0, 1))

    def make(temporary: Path) -> None:
        with temporary.open("wb") as out:
            np.savez(out, texts=np.array([*vectors], np.str_), vectors=values.astype(np.float16), encoder=encoder)

    try:
        files.write_whole(file, make, suffix=".tmp")  # a name that the book would read is only the whole file's
    except OSError as e:
        raise _unreadable(file, f"it cannot be written: {e.strerror}") from None


def keep(model: str, encoder: str, vectors: Mapping[str, NDArray[Any]]) -> int:
    """Add to what was encoded here; how many phrases there are now. Another encoder's are kept in a file of its own."""
    _, is_fewer, bits = encoder.partition(FEWER)
    file = folder(model) / (f"own-{bits}.npz" if is_fewer else OWN)
    known: Vectors = {}
    if file.exists():
        before, known = read(file)
        if before != encoder:
            os.replace(file, file.with_name(f"kept-{before.replace('/', '-')}.npz"))
            known = {}
    known |= {text: np.asarray(v, np.float16) for text, v in vectors.items()}
    write(file, encoder, known)
    return len(known)


class Book:
    """All phrases of a model that one encoder made: the one of ``own.npz``, else of the first pack."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._stamp: tuple[Any, ...] = ()
        self._known: Vectors = {}
        self._made_by: dict[str, str] = {}
        self.encoder = ""

    @property
    def known(self) -> Vectors:
        """Vectors by text; read again when a pack has changed."""
        files = sorted(folder(self.model).glob("*.npz"), key=lambda f: (f.name != OWN, f.name))
        stamp = tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files)
        if stamp != self._stamp:
            self._stamp = stamp
            self._known, self._made_by, self.encoder = {}, {}, ""
            self._add(files)
        return self._known

    def find(self, texts: Sequence[str], places: Mapping[str, int] | None = None) -> dict[str, NDArray[np.float32]]:
        """A vector for each text. Raises ``prompt_not_in_pack`` for the first that is not known, with the nearest."""
        known = self.known
        for text in texts:
            if text not in known:
                raise self._missing(text, (places or {}).get(text, 0))
        return {text: known[text].astype(np.float32) for text in texts}

    def encoder_of(self, texts: Sequence[str]) -> str:
        """The encoder with the fewest bits that these texts' vectors come from: what a pack of them is named after."""
        known = self.known
        return max((self._made_by[text] for text in texts if text in known), key=_bits_less, default="")

    def _add(self, packs: Sequence[Path]) -> None:
        found = []
        for file in packs:
            try:
                found.append((file, *read(file)))
            except SceneError as e:
                _log.error("a phrase pack is left out: %s", e)
        for file, encoder, vectors in sorted(found, key=lambda pack: _bits_less(pack[1])):
            family = encoder.partition(FEWER)[0]
            if self.encoder and family != self.encoder:
                _log.warning("the phrase pack %s is another encoder's (%s) and is left out", file.name, encoder)
                continue
            self.encoder = family
            self._known = {**vectors, **self._known}
            self._made_by = {**dict.fromkeys(vectors, encoder), **self._made_by}

    def _missing(self, text: str, segment: int) -> RequestError:
        near = nearest(text, [*self._known])
        details = {
            "where": {"path": ["segments", segment, "prompt"]},
            "got": text,
            "model": self.model,
            "phrases": len(self._known),
            "suggestions": near,
            "encode": "kineograph models encode FILE",
        }
        cpu_s = costs.Costs().seconds("encode cpu cpu", 1)
        if cpu_s is not None:
            details["cpu_s"] = round(cpu_s, 1)
        message = f"{self.model} knows {len(self._known)} phrases here, not {text!r}"
        return RequestError(ErrorCode.PROMPT_NOT_IN_PACK, message, details)


def _bits_less(encoder: str) -> int:
    """0 for a whole encoder, more the fewer bits it has."""
    return {"": 0, "8bit": 1, "4bit": 2}.get(encoder.partition(FEWER)[2], 3)


def nearest(text: str, known: Sequence[str], count: int = _SUGGESTIONS) -> list[str]:
    """The phrases most like ``text``: by words in common, then by spelling."""
    words = set(_words(text))

    def likeness(other: str) -> tuple[float, float]:
        others = set(_words(other))
        common = len(words & others) / max(1, len(words | others))
        return common, difflib.SequenceMatcher(None, text.lower(), other.lower()).quick_ratio()

    return sorted(known, key=likeness, reverse=True)[:count]


def _words(text: str) -> list[str]:
    return [w.strip(".,!?\"'").rstrip("s") for w in text.lower().split() if w not in ("a", "an", "the", "person", "is")]


def _unreadable(file: Path, reason: str) -> SceneError:
    details = {"path": str(file), "got": file.name, "reason": reason, "allowed": "a phrase pack"}
    return SceneError(ErrorCode.FILE_UNREADABLE, f"the phrase pack {file.name} cannot be read: {reason}", details)
