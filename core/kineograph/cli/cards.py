# SPDX-License-Identifier: Apache-2.0
"""Model cards: Markdown that lies beside a backbone, ``card.md`` in its package.

Backbones are found by their entry points and not imported. In a source checkout, where Kineograph's own cards are
pages of the documentation, they are read from there.
"""

from __future__ import annotations

from importlib import metadata, util
from pathlib import Path

GROUP = "kineograph.backbones"
FILE = "card.md"
OWN = "kineograph-"


def read(model: str) -> str | None:
    """The card of a model by its id, short or long; None where there is none."""
    places = {entry.name: entry.value for entry in metadata.entry_points(group=GROUP)}
    for name in (model, OWN + model):
        path = _beside(name, places[name]) if name in places else None
        if path is not None:
            return path.read_text(encoding="utf-8")
    return None


def names() -> list[str]:
    """Models that have a card."""
    entries = metadata.entry_points(group=GROUP)
    return sorted(e.name for e in entries if _beside(e.name, e.value) is not None)


def _beside(name: str, value: str) -> Path | None:
    """The card of the backbone at ``module:attribute``."""
    try:
        found = util.find_spec(value.partition(":")[0])
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    # Four folders up from daemon/kineograph_daemon/backbones/NAME is the checkout.
    pages = [folder / FILE, *([folder.parents[3] / "docs" / f"{name.removeprefix(OWN)}.md"] if OWN in name else [])]
    return next((p for p in pages if p.is_file()), None)
