# SPDX-License-Identifier: Apache-2.0
"""A skeleton is packed once, and whatever its owner does to it is seen."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from kineograph.client.packing import _MOST, Packing
from kineograph.wire import codec


def skeleton(*names: str) -> dict[str, Any]:
    return {"joints": [{"name": n, "rest_translation": [0.0, 1.5, 0.0], "parent": None} for n in names or ("root",)]}


def body(rig: Any, **more: Any) -> dict[str, Any]:
    return {"job": "j", "request": {"model": "m", "skeleton": rig, "segments": [], **more}, "label": "x"}


def same(packing: Packing, sent: dict[str, Any]) -> None:
    last = {k: v for k, v in sent.items() if k == "request"}
    got, plain = packing.pack(sent), codec.pack_body({k: v for k, v in sent.items() if k not in last} | last)
    assert [bytes(f) for f in got] == [bytes(f) for f in plain]


def test_packed_again_it_is_the_same_to_the_byte() -> None:
    packing = Packing()
    rig = skeleton("root", "hips")
    for n in range(5):
        same(packing, body(rig, options={"seed": n}))
        same(packing, body(copy.deepcopy(rig), clip=np.arange(n + 1, dtype=np.float32)))
    assert len(packing._kept) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda rig: rig["joints"].append({"name": "more"}),
        lambda rig: rig["joints"][0].update(name="other"),
        lambda rig: rig["joints"][0]["rest_translation"].__setitem__(1, 2.5),
        lambda rig: rig["joints"][0].pop("parent"),
        lambda rig: rig.update(extra=[1]),
        lambda rig: rig["joints"].clear(),
    ],
)
def test_a_skeleton_that_was_changed_is_packed_anew(change: Any) -> None:
    packing = Packing()
    rig = skeleton("root", "hips")
    for _ in range(3):
        packing.pack(body(rig))
    assert packing._kept
    change(rig)
    for _ in range(3):
        same(packing, body(rig))
    same(packing, body(skeleton("root", "hips")))


@pytest.mark.parametrize(
    "rig", [{"joints": np.zeros(3)}, {"joints": [{"t": np.ones(3)}]}, {"n": np.float32(1.5)}, {"s": {"b", "a"}}, {}, 3]
)
def test_odd_skeletons_travel_as_ever(rig: Any) -> None:
    packing = Packing()
    for _ in range(3):
        same(packing, body(rig))
        same(packing, body(skeleton()))


def test_bodies_of_other_forms_travel_as_ever() -> None:
    packing = Packing()
    for sent in ({}, {"request": None}, {"request": [1]}, {"request": {"model": "m"}}, {"skeleton": skeleton()}):
        same(packing, sent)


def test_a_skeleton_that_cannot_travel_is_refused_every_time() -> None:
    packing = Packing()
    for _ in range(3):
        with pytest.raises(TypeError):
            packing.pack(body({"joints": object()}))


def test_a_skeleton_nested_deeper_than_python_goes_travels_as_ever() -> None:
    rig: dict[str, Any] = {}
    for _ in range(480):
        rig = {"inner": [rig]} if len(str(rig)) < 2_000 else {"inner": rig}
    packing = Packing()
    frames = [bytes(packing.pack(body(rig))[0]) for _ in range(3)]
    assert frames[0] == frames[1] == frames[2]


def test_a_body_stays_as_it_was_given() -> None:
    sent = body(skeleton())
    for _ in range(3):
        Packing().pack(sent)
    assert list(sent) == ["job", "request", "label"]
    assert sent == body(skeleton())


def test_only_a_few_are_kept_and_none_that_came_once() -> None:
    packing = Packing()
    for n in range(20):
        packing.pack(body(skeleton(f"a{n}")))
    assert packing._kept == ()
    for n in range(20):
        packing.pack(body(skeleton(f"b{n}")))
        packing.pack(body(skeleton(f"b{n}")))
    assert len(packing._kept) == _MOST
    for _ in range(3):
        packing.pack(body(skeleton("x" * 2**18)))
    assert len(packing._kept) == _MOST
