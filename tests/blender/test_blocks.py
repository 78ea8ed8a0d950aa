# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks on the timeline: no frame lost, none generated twice, none more than asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kineograph.errors import ErrorCode, KineographError
from kineograph_blender.bridge import blocks as b
from kineograph_blender.bridge.blocks import Block, Kind, Overlap, Run, Side, Span

SPAN = (1, 150)
WAVE = Block(1, 90, "waves")
WALK = Block(91, 150, "walks")

frames = st.integers(-30, 200)


@st.composite
def some_blocks(draw: Any) -> list[Block]:
    out = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(frames)
        end = start + draw(st.integers(0, 80))
        prompt = draw(st.sampled_from(["", "  ", "waves", "walks"]))
        out.append(Block(start, end, prompt, None, draw(st.booleans()), draw(st.booleans())))
    return out


def frames_of(pieces: list[Any]) -> list[int]:
    return [f for p in pieces for f in range(p.first, p.last + 1)]


@settings(max_examples=200, deadline=None)
@given(some_blocks(), frames, st.integers(0, 150))
def test_spans_cover_every_frame_once(blocks: list[Block], first: int, more: int) -> None:
    span = (first, first + more)
    pieces = b.spans(blocks, span)
    assert frames_of(pieces) == list(range(span[0], span[1] + 1))
    for piece in pieces:
        claims = [i for i, x in enumerate(blocks) if x.enabled and x.start <= piece.first <= x.end]
        assert (piece.index is None) == (not claims)
        if piece.index is not None:
            assert piece.index in claims
            # A locked block's motion is never given away to an overlapping one.
            assert blocks[piece.index].locked == any(blocks[i].locked for i in claims)


@settings(max_examples=200, deadline=None)
@given(some_blocks(), frames, st.integers(0, 150))
def test_what_is_generated_is_exactly_the_unlocked_blocks(blocks: list[Block], first: int, more: int) -> None:
    span = (first, first + more)
    made = frames_of(b.runs(blocks, span))
    assert len(made) == len(set(made))
    if not any(x.enabled for x in blocks):
        assert made == list(range(span[0], span[1] + 1))
        return
    inside = range(span[0], span[1] + 1)
    locked = {f for x in blocks if x.enabled and x.locked for f in range(x.start, x.end + 1)}
    wanted = {f for x in blocks if x.enabled and not x.locked for f in range(x.start, x.end + 1)} - locked
    assert wanted & set(inside) <= set(made)
    assert not locked & set(made)
    hull = b.hull(blocks)
    assert hull is not None
    assert all(hull[0] <= f <= hull[1] and f in inside for f in made)
    for run in b.runs(blocks, span):
        assert any(f in wanted for f in range(run.first, run.last + 1)), "a stretch nobody asked for"
        # A lead is asked for exactly where a motion that stays adjoins.
        assert run.before == (run.first - 1 in locked and run.first > max(span[0], hull[0]))
        assert run.after == (run.last + 1 in locked and run.last < min(span[1], hull[1]))


@settings(max_examples=200, deadline=None)
@given(some_blocks().filter(bool), st.data())
def test_an_edit_touches_one_block(blocks: list[Block], data: Any) -> None:
    i = data.draw(st.integers(0, len(blocks) - 1))
    by, to = data.draw(frames), data.draw(frames)
    for edited in (b.move(blocks, i, by), b.resize(blocks, i, Side.START, to), b.resize(blocks, i, Side.END, to)):
        assert [x for n, x in enumerate(edited) if n != i] == [x for n, x in enumerate(blocks) if n != i]
        assert edited[i].frames >= 1
        assert edited[i].prompt == blocks[i].prompt
    assert b.move(blocks, i, by)[i].frames == blocks[i].frames
    assert b.move(b.move(blocks, i, by), i, -by) == tuple(blocks)


@settings(max_examples=200, deadline=None)
@given(some_blocks().filter(bool), st.data())
def test_a_split_block_has_the_same_frames(blocks: list[Block], data: Any) -> None:
    i = data.draw(st.integers(0, len(blocks) - 1))
    block = blocks[i]
    if block.frames == 1:
        with pytest.raises(KineographError):
            b.split(blocks, i, block.start)
        return
    at = data.draw(st.integers(block.start + 1, block.end))
    edited = b.split(blocks, i, at)
    assert len(edited) == len(blocks) + 1
    assert edited[i].frames + edited[i + 1].frames == block.frames
    assert (edited[i].start, edited[i].end + 1, edited[i + 1].end) == (block.start, edited[i + 1].start, block.end)
    assert (edited[i].prompt, edited[i + 1].prompt) == (block.prompt, block.prompt)


@pytest.mark.parametrize("at", [1, 91, -5, 1000])
def test_a_split_outside_a_block_says_where_it_may_be(at: int) -> None:
    with pytest.raises(KineographError) as e:
        b.split([WAVE], 0, at)
    assert e.value.code is ErrorCode.FRAME_OUT_OF_RANGE
    assert e.value.details["allowed"] == [2, 90]


def test_trimming_to_the_playhead() -> None:
    assert b.trim([WAVE], 0, Side.START, 30)[0] == Block(30, 90, "waves")
    assert b.trim([WAVE], 0, Side.END, 30)[0] == Block(1, 30, "waves")
    assert b.trim([WAVE], 0, Side.END, 1)[0].frames == 1
    with pytest.raises(KineographError, match="not inside"):
        b.trim([WAVE], 0, Side.END, 91)


def test_a_block_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(KineographError) as e:
        b.add([], Block(10, 9))
    assert e.value.code is ErrorCode.FRAME_OUT_OF_RANGE


def test_a_new_block_goes_into_the_first_gap_or_to_the_end() -> None:
    assert b.place_for([], SPAN, 60) == (1, 60)
    assert b.place_for([Block(1, 40), Block(61, 150)], SPAN, 60) == (41, 60)
    assert b.place_for([WAVE, WALK], SPAN, 60) == (151, 210)


def test_overlaps_are_told_and_the_earlier_block_has_the_frames() -> None:
    both = [Block(80, 150, "walks"), WAVE]
    assert b.overlaps(both) == [Overlap(1, 0, 80, 90)]
    assert b.spans(both, SPAN) == [Span(1, 90, Kind.PROMPT, 1), Span(91, 150, Kind.PROMPT, 0)]
    assert b.left_out(both, SPAN) == [(0, "80-90 belong to 'waves', which it overlaps")]


def test_a_gap_is_an_unconditioned_span() -> None:
    blocks = [Block(1, 40, "waves"), Block(61, 150, "walks")]
    assert b.gaps(blocks, SPAN) == [(41, 60)]
    assert [s.kind for s in b.spans(blocks, SPAN)] == [Kind.PROMPT, Kind.FREE, Kind.PROMPT]
    assert b.runs(blocks, SPAN) == [Run(1, 150)]


def test_neighbours_of_a_locked_block_run_into_it() -> None:
    blocks = [Block(1, 40, "waves"), Block(41, 60, "sits", locked=True), Block(61, 150, "walks")]
    assert b.runs(blocks, SPAN) == [Run(1, 40, after=True), Run(61, 150, before=True)]
    assert sum(r.frames for r in b.runs(blocks, SPAN)) == 130


def test_a_locked_block_inside_another_cuts_it() -> None:
    blocks = [Block(1, 150, "walks"), Block(41, 60, "sits", locked=True)]
    assert b.runs(blocks, SPAN) == [Run(1, 40, after=True), Run(61, 150, before=True)]


def test_only_some_blocks() -> None:
    blocks = [Block(1, 40, "waves"), Block(41, 60, "sits"), Block(61, 150, "walks")]
    assert b.runs(blocks, SPAN, only=[1]) == [Run(41, 60, before=True, after=True)]
    assert b.runs(blocks, SPAN, only=[]) == []


def test_nothing_is_generated_where_everything_is_locked() -> None:
    assert b.runs([Block(1, 150, "sits", locked=True)], SPAN) == []
    assert b.runs([], SPAN) == [Run(1, 150)]


def test_blocks_that_lose_frames_say_why() -> None:
    blocks = [Block(1, 10, "a", enabled=False), Block(200, 300, "b"), Block(140, 160, "c")]
    assert b.left_out(blocks, SPAN) == [
        (0, "it is switched off"),
        (1, "it stands outside the range 1-150"),
        (2, "only 140-150 is inside the range"),
    ]


def test_keys_taken_along() -> None:
    assert b.carried(WAVE, b.move([WAVE], 0, 10)[0], 45.0) == 55.0
    assert b.carried(WAVE, b.move([WAVE], 0, 10)[0], 45.5) == 55.5
    longer = Block(1, 179)
    assert [b.carried(WAVE, longer, f) for f in (1.0, 45.0, 90.0)] == [1.0, 89.0, 179.0]
    assert b.carried(Block(5, 5), Block(5, 50), 5.0) == 5.0
