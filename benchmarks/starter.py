#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How good ``kineograph-starter`` is on real motion it may never have seen, beside plain interpolation.

    python benchmarks/starter.py --data FILE                a table
    python benchmarks/starter.py --data FILE --json         the same and more as JSON
    python benchmarks/starter.py --data FILE --held         recordings not trained on, and nothing chosen on them
    python benchmarks/starter.py --data FILE --parts gaps latency

``FILE`` is motion in the form of the training data's card (any actors, any captions). Windows are fixed by ``--seed``.
Figures are ratios to slerp in the same run, with a 95 % bootstrap over recordings; nothing is chosen on this file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in a worker: two threads of BLAS cost more than they bring

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "daemon"))

from kineograph_bench import card_file, starter_gaps, starter_paths, starter_text
from kineograph_bench.starter_ask import model

PARTS = ("gaps", "sparse", "path", "effector", "text", "latency")


def run(a: argparse.Namespace) -> dict[str, Any]:
    """Everything asked for."""
    takes = card_file.load(a.data)
    if a.held:
        from training.data import is_reported

        takes = [t for t in takes if is_reported(t.name)]
    if not takes:
        raise SystemExit(f"{a.data}: no recordings to measure on")

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    parts: dict[str, Callable[[], Any]] = {
        "gaps": lambda: starter_gaps.run(takes, a.windows, a.seed, tell),
        "sparse": lambda: starter_gaps.sparse(takes, max(a.windows // 4, 10), a.seed),
        "path": lambda: starter_paths.run(takes, a.seed),
        "effector": lambda: starter_paths.effectors(takes, max(a.windows // 8, 10), a.seed),
        "text": lambda: starter_text.run(takes, a.seed),
        "latency": starter_paths.latency,
    }
    backbone, _ = model()
    facts = {k: v for k, v in backbone.net.facts.items() if k in ("version", "steps", "minutes", "recordings")}
    out: dict[str, Any] = {
        "data": a.data.name,
        "clips": len(takes),
        "seed": a.seed,
        "held_only": a.held,
        "model": facts,
    }
    for name in a.parts:
        tell(f"{name} ...")
        out["groups" if name == "gaps" else name] = parts[name]()
    return out


def table(out: dict[str, Any]) -> None:
    """For people."""
    for group, gaps in out.get("groups", {}).items():
        for gap, row in gaps.items():
            low, high = row["ratio_ci"]
            print(
                f"{group:22} gap {gap:>2}  n {row['n']:>4}  slerp {row['slerp_cm']:6.2f}  locked "
                f"{row['slerp_lock_cm']:6.2f}  ours {row['ours_cm']:6.2f} cm  ratio {row['ratio']:.2f} "
                f"[{low:.2f}, {high:.2f}]  slide real {row['slide_real']:.2f} slerp {row['slide_slerp']:.2f} "
                f"locked {row['slide_slerp_lock']:.2f} ours {row['slide_ours']:.2f}"
            )
    for name in PARTS[1:]:
        if name in out:
            print(f"{name}: {json.dumps(out[name])}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--held", action="store_true")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--windows", type=int, default=400, help="at most so many a gap")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    a = parser.parse_args()
    out = run(a)
    if a.json:
        print(json.dumps(out, indent=1))
    else:
        table(out)


if __name__ == "__main__":
    main()
