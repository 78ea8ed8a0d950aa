# SPDX-License-Identifier: Apache-2.0
"""Backbones by name: every form that a name may take, and every way in which foreign code can fail."""

from __future__ import annotations

import asyncio
from importlib import metadata

import pytest
from tests.fakes import backbones as fakes

from kineograph.errors import ErrorCode
from kineograph_daemon.backbones import base, registry
from kineograph_daemon.backbones.registry import Found

INSTANCE = fakes.Fake()
HERE = "tests.fakes.backbones"


def load(*names: str) -> dict[str, Found]:
    return registry.load_all(registry.discover(names, entry_points=False))


def test_a_class_a_function_a_list_and_a_map() -> None:
    assert list(load(f"{HERE}:Fake")) == ["fake"]
    many = load(f"{HERE}:everything")
    assert set(many) == {cls().capabilities().id for cls in fakes.ALL}
    assert all(found.error is None and found.backbone is not None for found in many.values())
    mixed = load(f"{HERE}:broken_capabilities")
    assert mixed["fake"].error is None
    broken = mixed["bad-capabilities"]
    assert broken.backbone is None
    assert broken.error is not None
    assert broken.error.code is ErrorCode.INTERNAL_ERROR
    assert "no capabilities today" in broken.error.message


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("no.such.module:X", "ModuleNotFoundError"),
        (f"{HERE}:NoSuch", "AttributeError"),
        ("not-installed", "module:name"),
        ("sys:exit", "SystemExit"),
        ("builtins:int", "no motionmcp.Backbone"),
        ("math:pi", "TypeError"),
        (f"{HERE}:Hooks", "TypeError"),
    ],
)
def test_what_cannot_be_loaded_is_an_error_of_that_model(name: str, word: str) -> None:
    found = load(name, f"{HERE}:Fake")
    error = found[name].error
    assert error is not None
    assert word in error.message
    assert found["fake"].error is None


def test_nothing_is_imported_before_it_is_loaded() -> None:
    assert list(registry.discover(["no.such:Thing"], entry_points=False)) == ["no.such:Thing"]


def test_entry_points_are_found_by_their_names() -> None:
    installed = {e.name for e in metadata.entry_points(group=registry.GROUP)}
    assert "kineograph-interpolate" in installed
    assert set(registry.discover()) == installed
    assert list(registry.discover(["kineograph-interpolate"], entry_points=False)) == ["kineograph-interpolate"]


def test_the_later_of_two_models_with_one_id_wins() -> None:
    found = load(f"{HERE}:Fake", f"{HERE}:broken_capabilities")
    assert found["fake"].source == f"{HERE}:broken_capabilities"


def test_extras_have_defaults_for_a_backbone_of_another_project() -> None:
    assert base.extras_of(fakes.Foreign()) == {
        "label": "",
        "text": "full",
        "phrases": [],
        "words": [],
        "any_skeleton": False,
        "any_fps": False,
        "version": "",
        "weights_hash": "",
        "about": "",
        "batch": False,
        "hooks": False,
    }
    assert base.extras_of(fakes.Fake())["text"] == "ignored"
    assert base.extras_of(fakes.Batching())["batch"] is True
    assert base.extras_of(fakes.Slow())["hooks"] is True


def test_settle_takes_values_and_awaitables() -> None:
    async def late() -> int:
        await asyncio.sleep(0.001)
        return 5

    assert base.settle(4) == 4
    assert base.settle(late()) == 5
    assert base.settle(late(), lambda: False) == 5


def test_settle_cancels_what_waits() -> None:
    cleaned = []

    async def forever() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)
        return 1

    with pytest.raises(asyncio.CancelledError):
        base.settle(forever(), lambda: True)
    assert cleaned == [True]
