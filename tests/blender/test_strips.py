# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks as strips on a timeline: where they stand, what the mouse holds, and what a drag makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kineograph_blender.bridge.blocks import Block
from kineograph_blender.draw import strips
from kineograph_blender.draw.strips import Drag, Grip, View

VIEW = View(zero_px=100.0, frame_px=4.0, width_px=1000.0, height_px=200.0)
BLOCKS = (Block(1, 50, "waves"), Block(51, 100, "walks"), Block(120, 140))


def middle(strip: Any) -> float:
    return float(strip.bottom + strip.top) / 2


def test_strips_cover_their_frames_and_touch() -> None:
    first, second, third = strips.layout(BLOCKS, VIEW)
    assert (first.left, first.right) == (104.0, 304.0)
    assert first.right == second.left
    assert third.left - second.right == pytest.approx(19 * 4.0)
    assert (third.right - third.left) / VIEW.frame_px == BLOCKS[2].frames


def test_only_what_can_be_seen_is_laid_out() -> None:
    far = (Block(-500, -400, "a"), Block(1, 10, "b"), Block(5000, 5010, "c"))
    assert [s.index for s in strips.layout(far, VIEW)] == [1]


def test_an_overlapping_block_stands_above_and_is_held_first() -> None:
    both = (Block(1, 60, "a"), Block(40, 100, "b"))
    one, other = strips.layout(both, VIEW)
    assert other.bottom > one.bottom
    assert strips.hit([one, other], VIEW.x(50), one.top - 1) == (1, Grip.BODY)


def test_what_the_mouse_holds() -> None:
    found = strips.layout(BLOCKS, VIEW)
    y = middle(found[0])
    assert strips.hit(found, 106, y) == (0, Grip.START)
    assert strips.hit(found, 200, y) == (0, Grip.BODY)
    assert strips.hit(found, 301, y) == (0, Grip.END)
    assert strips.hit(found, 200, y + 100) is None
    assert strips.hit(found, 550, y) is None
    short = strips.layout((Block(1, 2, "x"),), VIEW)
    assert strips.hit(short, 105, y) == (0, Grip.BODY), "a strip without room for ends is moved"


def test_texts_fit_or_are_cut_or_left_out() -> None:
    assert strips.fitted("walks home", 100, lambda t: 7.0 * len(t)) == "walks home"
    assert strips.fitted("walks home", 50, lambda t: 7.0 * len(t)) == "walks…"
    assert strips.fitted("walks home", 3, lambda t: 7.0 * len(t)) == ""
    assert strips.layout((Block(1, 50),), VIEW)[0].text == "(free)"
    assert strips.layout((Block(1, 50, "a", None, False, True),), VIEW)[0].text == "locked  off  a"


def test_colours_are_never_alone() -> None:
    free, text, locked = strips.layout((Block(1, 30), Block(31, 60, "a"), Block(61, 90, "a", None, True, True)), VIEW)
    assert len({free.fill, text.fill, locked.fill}) == 3
    assert "locked" in locked.text


def test_dragging_by_the_body_and_by_the_ends() -> None:
    drag = Drag(BLOCKS, 1, Grip.BODY, 70.0)
    assert strips.dragged(drag, 80.4)[1] == Block(61, 110, "walks")
    assert strips.dragged(Drag(BLOCKS, 1, Grip.START, 51.0), 61.0)[1] == Block(61, 100, "walks")
    assert strips.dragged(Drag(BLOCKS, 1, Grip.END, 101.0), 91.0)[1] == Block(51, 90, "walks")
    assert strips.dragged(Drag(BLOCKS, 1, Grip.END, 101.0), -500.0)[1].frames == 1


def test_edges_of_other_blocks_hold() -> None:
    drag = Drag(BLOCKS, 1, Grip.BODY, 70.0)
    assert strips.dragged(drag, 87.0, 3.0)[1] == Block(70, 119, "walks"), "its end meets the next block's start"
    assert strips.dragged(drag, 72.0, 3.0)[1] == BLOCKS[1]
    assert strips.dragged(drag, 72.0, 0.0)[1].start == 53
    assert strips.snap_frames(VIEW) == 2.0


def test_what_a_drag_says() -> None:
    drag = Drag(BLOCKS, 1, Grip.BODY, 70.0, (60.0, 70.0))
    said = strips.said(drag, strips.dragged(drag, 60.0))
    assert said == "41-90 (50 frames), overlaps 'waves' by 10, 2 keys go along"
    shown = strips.layout(strips.dragged(drag, 60.0), VIEW, drag=drag)
    assert shown[1].keys == (VIEW.x(50.0), VIEW.x(60.0))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2), st.sampled_from(list(Grip)), st.floats(-300, 300), st.floats(0, 20))
def test_a_drag_touches_one_block_and_leaves_it_a_frame(index: int, grip: Grip, to: float, snap: float) -> None:
    after = strips.dragged(Drag(BLOCKS, index, grip, 10.0), to, snap)
    assert [b for i, b in enumerate(after) if i != index] == [b for i, b in enumerate(BLOCKS) if i != index]
    assert after[index].frames >= 1
    if grip is Grip.BODY:
        assert after[index].frames == BLOCKS[index].frames
    elif grip is Grip.START:
        assert after[index].end == BLOCKS[index].end
    else:
        assert after[index].start == BLOCKS[index].start


def test_a_view_without_width_breaks_nothing() -> None:
    flat = View(0.0, 0.0, 0.0, 0.0)
    assert flat.frame(10.0) == 0.0
    assert strips.snap_frames(flat) == 0.0
    assert strips.hit(strips.layout(BLOCKS, flat), 0.0, 2.0) is None
    assert strips.hit(strips.layout(BLOCKS, View(0.0, 0.0, 0.0, 42.0)), 0.0, 9.0) is not None


@pytest.mark.parametrize("height", [30.0, 42.0, 60.0, 400.0])
def test_strips_leave_the_numbers_above_alone_where_there_is_room(height: float) -> None:
    both = (Block(1, 60, "a"), Block(40, 100, "b"))
    one, other = strips.layout(both, View(0.0, 4.0, 1000.0, height))
    assert one.bottom >= 0.0
    assert other.bottom > one.bottom
    if height >= 60.0:
        assert other.top <= height - strips.SCRUB_PX + 1e-9


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_timeline_of_numbers_alone_keeps_them(scale: float) -> None:
    """As low as in Blender's own layout on a small screen: a line below the numbers, and scrubbing goes on."""
    low = View(zero_px=100.0, frame_px=4.0, width_px=1000.0, height_px=20.0 * scale, scale=scale)
    found = strips.layout(BLOCKS, low, active=1)
    assert {(s.bottom, s.top, s.text) for s in found} == {(0.0, 4.0 * scale, "")}
    assert strips.hit(found, low.x(20), 2.0 * scale, scale) is None
    two_lines = View(zero_px=100.0, frame_px=4.0, width_px=1000.0, height_px=42.0 * scale, scale=scale)
    found = strips.layout(BLOCKS, two_lines)
    assert found[0].text == "waves"
    assert strips.hit(found, two_lines.x(20), middle(found[0]), scale) == (0, Grip.BODY)
