# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks on the timeline as plain values: every edit gives new blocks, and none moves a block nobody touched.

Frames are whole scene frames and both ends belong to a block: [a, b] is b - a + 1 frames. Blocks may overlap and leave
gaps; ``spans`` says what each frame then belongs to, ``runs`` which frames are to be generated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from kineograph.errors import ErrorCode, KineographError, error

Interval = tuple[int, int]


@dataclass(frozen=True)
class Block:
    """A prompt over scene frames ``start`` to ``end``, both included; without a text the span is unconditioned.

    A block that is not ``enabled`` is as if it were not there. A ``locked`` one keeps the motion that it has.
    """

    start: int
    end: int
    prompt: str = ""
    seed: int | None = None
    enabled: bool = True
    locked: bool = False

    @property
    def frames(self) -> int:
        """How many frames it has; never fewer than one."""
        return self.end - self.start + 1


class Side(StrEnum):
    """An end of a block."""

    START = "start"
    END = "end"


class Kind(StrEnum):
    """What a frame belongs to."""

    PROMPT = "prompt"
    FREE = "free"
    LOCKED = "locked"


@dataclass(frozen=True)
class Span:
    """Frames ``first`` to ``last``, both included, of the block at ``index``; None for a gap."""

    first: int
    last: int
    kind: Kind
    index: int | None


@dataclass(frozen=True)
class Run:
    """Frames to generate in one go; ``before`` and ``after``: a motion that stays adjoins there."""

    first: int
    last: int
    before: bool = False
    after: bool = False

    @property
    def frames(self) -> int:
        """How many frames are generated."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Overlap:
    """Blocks ``one`` and ``other`` (indices) both claim ``first`` to ``last``; ``one`` gets these frames."""

    one: int
    other: int
    first: int
    last: int


def place_for(blocks: Sequence[Block], span: Interval, frames: int) -> Interval:
    """Where a new block goes: the first gap inside ``span``, else right after the last block."""
    free = gaps(blocks, span)
    if free:
        first, last = free[0]
        return first, min(last, first + frames - 1)
    first = max(b.end for b in blocks) + 1
    return first, first + frames - 1


def add(blocks: Sequence[Block], block: Block) -> tuple[Block, ...]:
    """With one more block, last in the list. Raises ``frame_out_of_range`` for one that ends before it starts."""
    if block.end < block.start:
        raise _no_frames(block)
    return (*blocks, block)


def split(blocks: Sequence[Block], index: int, at: int) -> tuple[Block, ...]:
    """The block in two, the second beginning at frame ``at``. Raises ``frame_out_of_range`` outside it."""
    block = blocks[index]
    if not block.start < at <= block.end:
        raise _outside(block, at, (block.start + 1, block.end))
    halves = (replace(block, end=at - 1), replace(block, start=at))
    return (*blocks[:index], *halves, *blocks[index + 1 :])


def move(blocks: Sequence[Block], index: int, by: int) -> tuple[Block, ...]:
    """The block ``by`` frames later, as long as before."""
    block = blocks[index]
    return _with(blocks, index, replace(block, start=block.start + by, end=block.end + by))


def resize(blocks: Sequence[Block], index: int, side: Side, to: int) -> tuple[Block, ...]:
    """One end at frame ``to``; the other stays, and at least one frame is left."""
    block = blocks[index]
    if side is Side.START:
        return _with(blocks, index, replace(block, start=min(to, block.end)))
    return _with(blocks, index, replace(block, end=max(to, block.start)))


def trim(blocks: Sequence[Block], index: int, side: Side, playhead: int) -> tuple[Block, ...]:
    """One end cut off at the playhead, which stays inside. Raises ``frame_out_of_range`` when it is not inside."""
    block = blocks[index]
    if not block.start <= playhead <= block.end:
        raise _outside(block, playhead, (block.start, block.end))
    return resize(blocks, index, side, playhead)


def carried(before: Block, after: Block, frame: float) -> float:
    """Where a key at ``frame`` inside ``before`` goes when it is taken along to ``after``.

    A move keeps the distance to the start, a resize the share of the length; a whole frame stays whole.
    """
    if before.frames == after.frames or before.frames == 1:
        return frame - before.start + after.start
    to = after.start + (frame - before.start) * (after.frames - 1) / (before.frames - 1)
    return float(round(to)) if float(frame).is_integer() else to


def overlaps(blocks: Sequence[Block]) -> list[Overlap]:
    """Every pair of enabled blocks that share frames, and who gets them."""
    out = []
    order = _by_claim(blocks)
    for n, one in enumerate(order):
        for other in order[n + 1 :]:
            first, last = max(blocks[one].start, blocks[other].start), min(blocks[one].end, blocks[other].end)
            if first <= last:
                out.append(Overlap(one, other, first, last))
    return out


def gaps(blocks: Sequence[Block], span: Interval) -> list[Interval]:
    """Frames of ``span`` that no enabled block claims, as intervals."""
    return [(s.first, s.last) for s in spans(blocks, span) if s.index is None]


def hull(blocks: Sequence[Block]) -> Interval | None:
    """From the first to the last frame of the enabled blocks; None without any."""
    used = [b for b in blocks if b.enabled]
    return (min(b.start for b in used), max(b.end for b in used)) if used else None


def spans(blocks: Sequence[Block], span: Interval, only: Collection[int] | None = None) -> list[Span]:
    """``span`` cut into pieces without gap or overlap.

    Where blocks overlap a locked one has the frames, then the one that starts earlier, then the one that stands first
    in the list. With ``only`` (indices) all other blocks are taken for locked.
    """
    kept = [replace(b, locked=b.locked or (only is not None and i not in only)) for i, b in enumerate(blocks)]
    out: list[Span] = []
    for first, last, owner in _pieces(kept, span):
        if out and out[-1].index == owner:
            out[-1] = replace(out[-1], last=last)
            continue
        locked = owner is not None and kept[owner].locked
        text = owner is not None and bool(kept[owner].prompt.strip())
        out.append(Span(first, last, Kind.LOCKED if locked else Kind.PROMPT if text else Kind.FREE, owner))
    return out


def runs(blocks: Sequence[Block], span: Interval, only: Collection[int] | None = None) -> list[Run]:
    """Frames to generate: all of ``span`` without blocks, else what unlocked blocks have of it, with gaps beside them.

    Nothing before the first and after the last enabled block is generated, and no stretch without an unlocked block.
    """
    outer = hull(blocks)
    if outer is None:
        return [Run(*span)]
    first, last = max(span[0], outer[0]), min(span[1], outer[1])
    out: list[Run] = []
    stretch: list[Span] = []
    before = False
    for piece in spans(blocks, (first, last), only) if first <= last else []:
        if piece.kind is Kind.LOCKED:
            out += _run(stretch, before, after=True)
            stretch, before = [], True
        else:
            stretch.append(piece)
    return out + _run(stretch, before, after=False)


def left_out(blocks: Sequence[Block], span: Interval) -> list[tuple[int, str]]:
    """Blocks that lose frames, with the reason in words: never silently."""
    out = []
    for i, block in enumerate(blocks):
        if not block.enabled:
            out.append((i, "it is switched off"))
        elif block.end < span[0] or block.start > span[1]:
            out.append((i, f"it stands outside the range {span[0]}-{span[1]}"))
        elif block.start < span[0] or block.end > span[1]:
            out.append((i, f"only {max(block.start, span[0])}-{min(block.end, span[1])} is inside the range"))
    for overlap in overlaps(blocks):
        name = blocks[overlap.one].prompt.strip() or f"the block at {blocks[overlap.one].start}"
        out.append((overlap.other, f"{overlap.first}-{overlap.last} belong to {name!r}, which it overlaps"))
    return out


def _pieces(blocks: Sequence[Block], span: Interval) -> Iterator[tuple[int, int, int | None]]:
    order = _by_claim(blocks)
    cuts = {span[0], span[1] + 1}
    for i in order:
        cuts |= {c for c in (blocks[i].start, blocks[i].end + 1) if span[0] < c <= span[1]}
    edges = sorted(cuts)
    for first, after in pairwise(edges):
        owner = next((i for i in order if blocks[i].start <= first <= blocks[i].end), None)
        yield first, after - 1, owner


def _by_claim(blocks: Sequence[Block]) -> list[int]:
    used = [i for i, b in enumerate(blocks) if b.enabled]
    return sorted(used, key=lambda i: (not blocks[i].locked, blocks[i].start, i))


def _run(stretch: list[Span], before: bool, after: bool) -> list[Run]:
    if all(s.index is None for s in stretch):
        return []
    return [Run(stretch[0].first, stretch[-1].last, before, after)]


def _with(blocks: Sequence[Block], index: int, block: Block) -> tuple[Block, ...]:
    return (*blocks[:index], block, *blocks[index + 1 :])


def _outside(block: Block, at: int, allowed: Interval) -> KineographError:
    return error(
        ErrorCode.FRAME_OUT_OF_RANGE,
        f"frame {at} is not inside the block {block.start}-{block.end}",
        {"where": {"path": ["segments"]}, "got": at, "frame": at, "allowed": list(allowed)},
    )


def _no_frames(block: Block) -> KineographError:
    return error(
        ErrorCode.FRAME_OUT_OF_RANGE,
        f"the block ends at {block.end}, before it starts at {block.start}",
        {"where": {"path": ["segments"]}, "got": block.end, "allowed": [block.start, None]},
    )
