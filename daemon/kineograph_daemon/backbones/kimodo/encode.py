# SPDX-License-Identifier: Apache-2.0
"""``kineograph models encode FILE [--out PACK]``: phrases become vectors that are kept, and a pack to give away.

FILE holds one phrase a line (``#`` begins a comment), or is a pack from elsewhere, which is taken over. Encoding needs
the model's own environment and about 17 GB of memory for as long as it takes, or 9.5 or 6.5 GB with ``--bits``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from kineograph.errors import ErrorCode, KineographError, SceneError
from kineograph_daemon.backbones.kimodo import encoders, phrases
from kineograph_daemon.backbones.kimodo.seam import Runtime

MODEL_ID = "kimodo"
_AT_ONCE = 16


def runtime() -> Runtime:
    """The package."""
    from kineograph_daemon.backbones.kimodo.package import Package

    return Package()


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 a file or the encoder failed."""
    parser = argparse.ArgumentParser(prog="kineograph models encode", description="Prepare phrases for a model.")
    parser.add_argument("file", type=Path, help="phrases, one a line, or a pack to take over")
    parser.add_argument("--out", type=Path, help="write the file's phrases as a pack of their own")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--server", action="store_true", help="ask the encoder server instead of loading the encoder")
    how.add_argument("--bits", choices=("8", "4"), help="load the encoder at fewer bits: 9.5 or 6.5 GB instead of 17")
    parser.add_argument("--device", default="cpu", help="where an encoder of fewer bits works: cpu, cuda:0, ...")
    args = parser.parse_args(argv)
    try:
        if args.file.suffix == ".npz":
            return _take_over(args.file)
        kind = "server" if args.server else f"{args.bits}bit" if args.bits else "cpu"
        return _encode(args.file, args.out, kind, args.device)
    except (KineographError, ImportError) as e:
        print(
            getattr(e, "message", f"the model's package is missing ({e}): kineograph models install kimodo"),
            file=sys.stderr,
        )
        return 1


def _take_over(file: Path) -> int:
    encoder, found = phrases.read(file)
    shutil.copyfile(file, phrases.folder(MODEL_ID) / (f"pack-{file.name}" if file.name == phrases.OWN else file.name))
    print(f"{len(found)} phrases of the encoder {encoder} are known now")
    return 0


def _encode(file: Path, out: Path | None, kind: str, device: str) -> int:
    package = runtime()
    wanted = [*dict.fromkeys(text for line in _lines(file) if (text := package.sanitize(line)))]
    book = phrases.Book(MODEL_ID)
    missing = [text for text in wanted if text not in book.known]
    count = len(book.known)
    for at in range(0, len(missing), _AT_ONCE if kind == "server" else max(1, len(missing))):
        part = missing[at : at + _AT_ONCE] if kind == "server" else missing
        made = encoders.encode(package, kind, part, device, lambda words: print(words, flush=True))
        count = phrases.keep(MODEL_ID, encoders.name_of(kind), made)
        print(f"{min(at + len(part), len(missing))} of {len(missing)} encoded", flush=True)
    print(f"{len(wanted)} phrases, {len(missing)} of them new; {count} are known now")
    if out is not None:
        phrases.write(out, book.encoder_of(wanted) or encoders.LLM2VEC, {text: book.known[text] for text in wanted})
        print(f"written to {out}")
    return 0


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        details = {"path": str(file), "got": file.name, "reason": type(e).__name__}
        raise SceneError(ErrorCode.FILE_UNREADABLE, f"{file} cannot be read as text", details) from None
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


if __name__ == "__main__":
    sys.exit(main())
