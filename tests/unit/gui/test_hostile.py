# SPDX-License-Identifier: Apache-2.0
"""Whatever a daemon or a plug-in of another version says, it is shown as far as it goes and nothing breaks."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.gui import scenes

from kineograph import demo
from kineograph.client import Result
from kineograph.errors import KineographError
from kineograph.wire.messages import DaemonStats, JobState
from kineograph_gui.model import details, rows
from kineograph_gui.model.draft import Draft
from kineograph_gui.model.machine import daemon_lines, model_lines
from kineograph_gui.model.take import Take

ODD: list[Any] = [
    None, True, -1, 0, 3.5, float("nan"), float("inf"), 1e308, "x", "", [], {}, [1], {"a": 1}, [[]], "\ud800", 10**30,
    [None], b"x",
]  # fmt: skip
ROUNDS = 60
MAY_RAISE = (KineographError, KeyError, TypeError, ValueError, AttributeError, OverflowError)


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _paths(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree[:6]):
            yield from _paths(value, (*path, index))


def _mutated(tree: Any, rng: random.Random) -> Any:
    out = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 2, 3])):
        path = rng.choice(list(_paths(out)))
        place = out
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = copy.deepcopy(rng.choice(ODD))
    return out


@pytest.fixture(params=range(3))
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Repeatable chance."""
    return random.Random(request.param)


def test_reports_and_requests_are_read_as_far_as_they_go(rng: random.Random) -> None:
    request = demo.request("m")
    for _ in range(ROUNDS):
        assert isinstance(details.request_lines(_mutated(request, rng), {"constraints": ["a"]}), list)
        assert isinstance(details.report_lines(_mutated(scenes.report(), rng), {}), list)


def test_models_workers_and_errors_are_read_as_far_as_they_go(rng: random.Random) -> None:
    spec = {"text": "weak", "fps": 20, "supported_segments": ["text"], "any_fps": False, "description": "x"}
    worker = {"id": "w", "device": "cpu", "state": "ready", "memory_bytes": 5}
    error = {"error": {"code": "x", "message": "y", "details": {"a": 1}}}
    for _ in range(ROUNDS):
        assert model_lines(_mutated(spec, rng))
        assert daemon_lines(DaemonStats("e", "v", 1, 1.0, False, {}, [_mutated(worker, rng)], 0, 0), 0)
        job = scenes.status(JobState.FAILED, error=_mutated(error, rng))
        assert rows.problem_of(job).text
        assert rows.haystack(job)


def test_a_draft_or_a_take_is_made_or_refused(rng: random.Random) -> None:
    request, result = demo.request("m"), scenes.result()
    done = scenes.status(JobState.SUCCEEDED)
    for turn in range(ROUNDS):
        odd = _mutated(request, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numbers without bounds overflow, as they must
            with suppress(*MAY_RAISE):
                assert Draft.of(odd, "x").request()
            if turn % 5 == 0:
                body = {**result, "report": _mutated(scenes.report(), rng)}
                with suppress(*MAY_RAISE):
                    assert Take.of(Result.from_body(done, body), odd).frames
