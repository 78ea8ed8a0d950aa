# SPDX-License-Identifier: Apache-2.0
"""Typed messages: decoded once, at the door; what does not fit names its field."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kineograph.errors import ErrorCode, RequestError
from kineograph.wire import codec, fields
from kineograph.wire import messages as m
from kineograph.wire.codec import Header, Kind

ALL = sorted({*m.REQUEST_OF.values(), *m.REPLY_OF.values(), *m.EVENT_OF.values()}, key=lambda c: c.__name__)
WIRE_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_every_method_has_a_request_a_reply_and_a_role() -> None:
    assert set(m.REQUEST_OF) == set(m.REPLY_OF) == set(m.ROLE_OF) == set(m.Method)
    assert set(m.EVENT_OF) == set(m.EventName)
    assert set(m.TRANSITIONS) == set(m.JobState)
    assert all(not to for state, to in m.TRANSITIONS.items() if state.is_final and state is not m.JobState.SUCCEEDED)
    assert all(is_dataclass(c) for c in ALL)


@given(st.data())
def test_what_goes_out_comes_back(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from(ALL))
    message = data.draw(st.builds(cls, **OVERRIDES.get(cls, {})))
    frames = [bytes(f) for f in codec.encode(Header(Kind.REPLY, "x"), m.to_body(message))]
    assert m.from_body(cls, codec.decode(frames).body) == message


_JSON = st.dictionaries(st.text(max_size=5), st.integers(-5, 5) | st.text(max_size=5), max_size=3)
_ANY = st.none() | st.integers(-5, 5) | _JSON
_NUMBER = st.floats(allow_nan=False)
_MAYBE = st.none() | _NUMBER
_COUNT = st.integers(0, 2**40)
_STATUS: dict[str, Any] = {
    "frames": _COUNT,
    "samples": _COUNT,
    "attempt": _COUNT,
    "position": st.none() | _COUNT,
    "fps_hz": _NUMBER,
    "created_s": _NUMBER,
    "started_s": _MAYBE,
    "finished_s": _MAYBE,
    "deadline_s": _MAYBE,
    "eta_s": _MAYBE,
    "error": st.none() | _JSON,
    "progress": st.builds(m.Progress, fraction=_NUMBER, step=_COUNT, steps=_COUNT),
}
_STATUSES = st.builds(m.JobStatus, **_STATUS)
OVERRIDES: dict[type[Any], dict[str, Any]] = {
    m.Hello: {"wire": st.lists(_COUNT, max_size=3)},
    m.HelloReply: {"wire": _COUNT, "pid": _COUNT, "seq": _COUNT, "limits": _JSON},
    m.CapabilitiesReply: {"mmcp": _JSON, "models": _JSON},
    m.Generate: {"request": _ANY, "deadline_s": _MAYBE, "refs": _JSON},
    m.GenerateWait: {"request": _ANY, "deadline_s": _MAYBE, "refs": _JSON, "wait_s": _NUMBER},
    m.GenerateBatch: {"batch": _ANY, "deadline_s": _MAYBE},
    m.Retarget: {"request": _ANY, "deadline_s": _MAYBE},
    m.GenerateBatchReply: {"results": st.lists(_ANY, max_size=3)},
    m.JobResult: {"wait_s": _NUMBER},
    m.JobStatus: _STATUS,
    m.JobResultReply: {"job": _STATUSES, "result": st.none() | _JSON},
    m.JobRequestReply: {"job": _STATUSES, "request": _ANY, "options": _JSON},
    m.JobList: {"limit": _COUNT, "offset": _COUNT},
    m.JobListReply: {"rows": st.lists(_ANY, max_size=3), "total": _COUNT, "seq": _COUNT},
    m.JobCancelReply: {"jobs": st.lists(_ANY, max_size=3)},
    m.ModelReply: {"error": st.none() | _JSON},
    m.Heartbeat: {
        "pid": _COUNT,
        "uptime_s": _NUMBER,
        "memory_bytes": _COUNT,
        "jobs": st.dictionaries(st.text(max_size=5), _COUNT, max_size=3),
    },
    m.DaemonStats: {
        "pid": _COUNT,
        "uptime_s": _NUMBER,
        "memory_bytes": _COUNT,
        "seq": _COUNT,
        "jobs": st.dictionaries(st.text(max_size=5), _COUNT, max_size=3),
        "workers": st.lists(_ANY, max_size=3),
    },
}


@given(st.sampled_from(ALL), st.dictionaries(st.text(max_size=8), WIRE_VALUES, max_size=6), st.data())
def test_any_body_is_a_message_or_a_refusal_that_names_its_field(cls: Any, body: dict[str, Any], data: Any) -> None:
    names = list(cls.__dataclass_fields__)
    if names:
        body |= data.draw(st.dictionaries(st.sampled_from(names), WIRE_VALUES, max_size=len(names)))
    try:
        outcome = m.from_body(cls, body)
    except RequestError as e:
        outcome = e
    if isinstance(outcome, RequestError):
        assert outcome.code is ErrorCode.SCHEMA_VALIDATION
        assert outcome.details["where"]["path"]
    else:
        assert isinstance(outcome, cls)


def test_unknown_fields_are_a_newer_peers_and_are_skipped() -> None:
    assert m.from_body(m.JobRef, {"job": "a", "colour": "red"}) == m.JobRef("a")


@pytest.mark.parametrize(
    ("cls", "body", "field", "got"),
    [
        (m.JobRef, {}, "job", None),
        (m.JobRef, {"job": 3}, "job", 3),
        (m.Generate, {"job": "a", "request": {}, "priority": "urgent"}, "priority", "urgent"),
        (m.Generate, {"job": "a", "request": {}, "formats": ["fbx"]}, ["formats", 0], "fbx"),
        (m.Generate, {"job": "a", "request": {}, "formats": "glb"}, "formats", "glb"),
        (m.Generate, {"job": "a", "request": {}, "deadline_s": True}, "deadline_s", True),
        (m.Generate, {"job": "a", "request": {}, "trajectories": 1}, "trajectories", 1),
        (m.JobResult, {"job": "a", "wait_s": float("nan")}, "wait_s", None),
        (m.JobList, {"limit": 2.5}, "limit", 2.5),
        (m.JobList, {"limit": True}, "limit", True),
        (m.JobList, {"states": ["queued", "lost"]}, ["states", 1], "lost"),
        (m.JobCancel, {"jobs": ["a", None, "b"]}, ["jobs", 1], None),
    ],
)
def test_a_wrong_field_is_named_with_what_it_got(cls: Any, body: dict[str, Any], field: Any, got: Any) -> None:
    with pytest.raises(RequestError) as caught:
        m.from_body(cls, body)
    assert caught.value.details["where"] == {"path": [field] if isinstance(field, str) else field}
    if got is not None:
        assert caught.value.details["got"] == got


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the field 'job' is nil, it takes text"),
        (1, "the field 'job' is 1, it takes text"),
        (False, "the field 'job' is false, it takes text"),
        (b"x", "the field 'job' is a byte string, it takes text"),
        (np.zeros(3), "the field 'job' is a number array, it takes text"),
        ({}, "the field 'job' is a map, it takes text"),
    ],
)
def test_a_refusal_speaks_the_protocols_language_not_pythons(value: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        m.from_body(m.JobRef, {"job": value})
    assert caught.value.message == said


def test_a_list_that_does_not_fit_says_where_and_of_what() -> None:
    with pytest.raises(RequestError, match=r"'jobs\[2\]' is 7, it takes text"):
        m.from_body(m.JobCancel, {"jobs": ["a", "b", 7]})
    with pytest.raises(RequestError, match="'jobs' is 7, it takes list of text"):
        m.from_body(m.JobCancel, {"jobs": 7})


def test_a_whole_number_is_a_number() -> None:
    assert m.from_body(m.JobResult, {"job": "a", "wait_s": 2}).wait_s == 2.0


def test_shapes_that_no_peer_of_ours_sends_are_not_remembered_without_end() -> None:
    for n in range(2000):
        assert m.from_body(m.JobRef, {"job": "j", f"x{n}": n}) == m.JobRef("j")
    m.from_body(m.JobRef, {"job": "j", **{f"x{n}": n for n in range(100)}})
    assert len(fields._plans) <= fields._MOST_PLANS
    assert max(map(len, fields._plans)) <= 2 * fields._MOST_KEYS + 1


def test_the_same_shape_with_another_value_is_looked_at_again() -> None:
    good = {"job": "j", "format": "arrays", "wait_s": 1.0}
    assert m.from_body(m.JobResult, good).wait_s == 1.0
    for field, wrong in (("wait_s", float("nan")), ("format", "obj")):
        with pytest.raises(RequestError) as caught:
            m.from_body(m.JobResult, {**good, field: wrong})
        assert caught.value.details["where"]["path"] == [field]
    with pytest.raises(RequestError) as caught:
        m.from_body(m.JobResult, {**good, "format": "obj", "wait_s": float("nan")})
    assert caught.value.details["where"]["path"] == ["format"], "the first field that is wrong is named"


def test_defaults_that_can_change_belong_to_one_message() -> None:
    first, second = m.from_body(m.JobList, {}), m.from_body(m.JobList, {})
    assert first == m.JobList()
    assert first.states is not second.states
