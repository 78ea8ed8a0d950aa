# SPDX-License-Identifier: Apache-2.0
"""``docs/protocol.md`` against the code, both ways: what one says and the other does not fails here."""

from __future__ import annotations

import json
import re
import typing
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgpack
import numpy as np
import pytest
from motionmcp.errors import STATUS_FOR
from tests.contract.describe import DOCUMENT, Table, code_blocks, default_text, plain, tables, type_name, values
from tests.fakes.backbones import Foreign

from kineograph.client.discovery import RunFile
from kineograph.client.keys import client_keys, server_keys
from kineograph.client.pending import SENT_ONCE
from kineograph.errors import RETRYABLE_CODES, ErrorCode, error
from kineograph.motion import packed
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.wire import codec, messages, version
from kineograph.wire.codec import Header, Kind
from kineograph.wire.http_status import HTTP_STATUS
from kineograph_daemon.backbones.base import extras_of
from kineograph_daemon.mmcp.answers import result_body
from kineograph_daemon.mmcp.schema import parse
from kineograph_daemon.pipeline import JobResultData
from kineograph_daemon.retarget import wire as retarget_wire
from kineograph_daemon.server import call, doors, jobs_handlers, routers, submit
from kineograph_daemon.server.auth import Keyring
from kineograph_daemon.server.daemon_handlers import DaemonHandlers
from kineograph_daemon.settings import Settings
from kineograph_daemon.workers import link as worker_link
from kineograph_daemon.workers.supervisor import SlotState, Supervisor

TEXT = DOCUMENT.read_text("utf-8")
TABLES = tables(TEXT)
MESSAGES = {
    name: cls for name, cls in vars(messages).items() if isinstance(cls, type) and is_dataclass(cls) and name[0] != "_"
}
ENUMS: dict[str, type[StrEnum]] = {
    name: cls
    for name, cls in vars(messages).items()
    if isinstance(cls, type) and issubclass(cls, StrEnum) and cls.__module__ == messages.__name__
    if name not in ("Method", "EventName")
}


ONE_CLIP = Clip(
    Skeleton.build(["a"], [-1], np.zeros((1, 3))), 30.0, np.tile([0.0, 0.0, 0.0, 1.0], (2, 1, 1)), np.zeros((2, 3))
)


def table(heading: str) -> Table:
    (found,) = [t for t in TABLES if t.heading == heading]
    return found


def described(cls: Any) -> list[tuple[str, str, str]]:
    hints = typing.get_type_hints(cls)
    return [(f.name, plain(type_name(hints[f.name])), plain(default_text(f))) for f in fields(cls)]


def said(heading: str) -> list[tuple[str, str, str]]:
    t = table(heading)
    return list(zip(t.column("field"), t.column("type"), t.column("default"), strict=True))


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_message_with_its_fields_types_and_defaults(name: str) -> None:
    cls = MESSAGES[name]
    assert f"#### `{name}`" in TEXT
    if fields(cls):
        assert said(name) == described(cls)


def test_no_message_is_described_that_is_none() -> None:
    with_fields = {t.heading for t in TABLES if t.head == ("field", "type", "default", "meaning")}
    assert with_fields == {n for n, c in MESSAGES.items() if fields(c)} | {"Run file", "TaskJob"}


@pytest.mark.parametrize("name", [*sorted(ENUMS), "Kind"])
def test_every_enumeration_with_its_values(name: str) -> None:
    assert table(name).column("value") == values(Kind if name == "Kind" else ENUMS[name])


def test_no_enumeration_is_described_that_is_none() -> None:
    assert {t.heading for t in TABLES if t.head[0] == "value"} == {*ENUMS, "Kind"}


def test_methods() -> None:
    t = table("Methods")
    assert t.column("method") == values(messages.Method)
    for method, request, reply, role, again in zip(
        messages.Method, *(t.column(c) for c in ("request", "reply", "least role", "sent again")), strict=True
    ):
        assert request == messages.REQUEST_OF[method].__name__
        assert reply == messages.REPLY_OF[method].__name__
        assert role == messages.ROLE_OF[method]
        assert again == ("no" if method in SENT_ONCE else "yes")


def test_events() -> None:
    bodies = table("Events").pairs("event", "body")
    assert bodies == {str(e): messages.EVENT_OF[e].__name__ for e in messages.EventName}


def test_transitions() -> None:
    t = table("Transitions")
    written = set(zip(t.column("from"), t.column("to"), strict=True))
    assert written == {(str(a), str(b)) for a, to in messages.TRANSITIONS.items() for b in to}


def test_versions_and_limits() -> None:
    constants = {k: v for k, v in vars(version).items() if k.isupper()}
    written = {k: json.loads(v) for k, v in table("Versions and limits").pairs("name", "value").items()}
    assert written == {k: list(v) if isinstance(v, tuple) else v for k, v in constants.items()}


def test_header() -> None:
    whole = Header(Kind.EVENT, "x", "1", "epoch", 3).to_map(0)
    kinds = {int: "int", str: "text"}
    assert table("Header").pairs("key", "type") == {k: kinds[type(v)] for k, v in whole.items()}


def test_errors() -> None:
    t = table("Errors")
    assert t.column("code") == values(ErrorCode)
    for code, cls, http, retry in zip(ErrorCode, *(t.column(c) for c in ("class", "HTTP", "retry")), strict=True):
        assert cls == type(error(code, "")).__name__
        assert http == str(HTTP_STATUS.get(code, "-"))
        assert retry == ("yes" if code in RETRYABLE_CODES else "no")


def test_statuses_of_official_codes_are_the_official_ones() -> None:
    ours = {str(code): status for code, status in HTTP_STATUS.items()}
    assert STATUS_FOR.items() <= ours.items()


def test_run_file() -> None:
    assert said("Run file") == described(RunFile)


def test_worker_link() -> None:
    t = table("The worker link")
    written = t.pairs("message", "fields")
    assert written == {
        method: ", ".join(f.name for f in fields(cls)) or "-" for cls, method in worker_link.METHOD_OF.items()
    }
    assert said("TaskJob") == described(worker_link.TaskJob)


def test_a_retargets_request() -> None:
    t = table("A retarget's request")
    assert {k for cell in t.column("key") for k in cell.split(", ")} == set(retarget_wire.KEYS)
    (clip,) = [what for key, what in zip(t.column("key"), t.column("what"), strict=True) if key == "clip"]
    assert all(key in clip for key in packed.clip_map(ONE_CLIP))
    (target,) = [what for key, what in zip(t.column("key"), t.column("what"), strict=True) if key == "target"]
    assert all(key in target for key in packed.skeleton_map(ONE_CLIP.skeleton))


def test_options_of_a_retarget() -> None:
    t = table("Options of a retarget")
    defaults = {key: None if text == "nil" else json.loads(text) for key, text in t.pairs("option", "default").items()}
    assert defaults == {name: plain_value(value) for name, value in retarget_wire.OPTIONS.items()}
    kinds = {bool: "bool", str: "text", float: "float or nil", type(None): "float or nil"}
    meanings = t.pairs("option", "meaning")
    for name, kind in t.pairs("option", "type").items():
        default = retarget_wire.OPTIONS[name]
        assert kind == kinds[type(plain_value(default))]
        assert all(str(v) in meanings[name] for v in (type(default) if isinstance(default, StrEnum) else ()))


def test_a_retargets_result() -> None:
    told = SimpleNamespace(travel=None, to_json=dict)
    body = retarget_wire.body(ONE_CLIP, typing.cast(Any, told), {})
    (less,) = re.findall(r"The result has the keys .+? less (.+?), with (.+?)\.", TEXT, flags=re.DOTALL)
    missing, added = (set(re.findall(r"`(.+?)`", words)) for words in less)
    assert set(body) == set(table("The arrays result").column("key")) - missing | added


def plain_value(value: Any) -> Any:
    return str(value) if isinstance(value, StrEnum) else value


def test_what_models_tells() -> None:
    written = table("What models tells").column("key")
    assert written == [*extras_of(Foreign()), "carried", "state", "device", "error"]


def test_workers_of_the_stats() -> None:
    slot = SimpleNamespace(
        worker="w1", device="cpu", state="ready", process=None, started_s=0.0, deaths=0, rss_bytes=0, last=""
    )
    (told,) = Supervisor.facts(typing.cast(Any, SimpleNamespace(slots=[slot])))
    meaning = table("DaemonStats").pairs("field", "meaning")["workers"]
    assert re.sub(r" \(.*?\)", "", meaning).split(": ")[1].split(", ") == [*told, "jobs"]
    assert all(str(state) in meaning for state in SlotState)


def test_numbers_in_the_prose() -> None:
    for words in (
        f"more than {doors._MOST_UNSENT_BYTES // 2**20} MiB of answers",
        f"of `label` and `character` {submit.MAX_TEXT} characters are kept",
        f"client's `name` {call._NAME}",
        f"no more than {jobs_handlers.MOST_JOBS}",
        f"at most {jobs_handlers.MOST_JOBS}",
        "at most 128 characters",
        f"is at most {doors._MOST_TOPIC_BYTES} bytes",
    ):
        assert words.lower() in " ".join(TEXT.split()).lower(), words
    assert routers._HANDSHAKE_S == 5.0
    assert "introduced itself within five seconds" in " ".join(TEXT.split())


def test_files_with_keys_are_those_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    ours, theirs = client_keys(), server_keys()
    files = table("Keys").column("file of the configuration folder")
    assert files == ["client_key.json", "server_key.json", "clients.json"]
    for name, pair in zip(files, (ours, theirs), strict=False):
        assert json.loads((tmp_path / "config" / name).read_text()) == {"public": pair.public, "secret": pair.secret}
    (form,) = re.findall(r'`(\{"clients": .+?\]\})`', TEXT)
    (tmp_path / "config" / files[2]).write_text(form.replace("Z85", json.dumps("x" * 40)))
    ring = Keyring()
    assert ring.role_of("x" * 40) is messages.Role.SUBMIT
    assert ring.role_of(ours.public) is messages.Role.ADMIN
    assert ring.role_of("y" * 40) is None


def test_the_request_of_the_document_is_one() -> None:
    (block,) = code_blocks(TEXT, "json request")
    payload = json.loads(block)
    request = parse(payload)
    sent = {s["type"] for s in payload["segments"]} | {c["type"] for c in payload["constraints"]}
    assert sent == {"text", "motion_reference", "root_path", "pose_keyframe", "effector_target"}
    clip = payload["segments"][1]
    clip.update({key: np.array(clip[key], np.float32) for key in ("rotations", "root_positions")})
    assert parse(payload).total_frames == request.total_frames == 62


def test_the_arrays_result() -> None:
    data = JobResultData(
        fps_hz=30.0,
        joint_names=["a", "b"],
        rotations_xyzw=np.zeros((2, 3, 2, 4), np.float32),
        root_m=np.zeros((2, 3, 3), np.float32),
        translations_m=np.zeros((2, 3, 2, 3), np.float32),
        contacts={"a": np.zeros((2, 3), bool)},
        chunk_boundaries=None,
        canonical_to_request=None,
        keyframes=None,
        notes=[],
        trajectories=None,
        report={},
    )
    body = result_body(data, {})
    written = table("The arrays result").pairs("key", "type")
    assert list(written) == list(body)
    for key, kind in written.items():
        value = body[key]
        if isinstance(value, np.ndarray):
            assert kind.startswith(f"array {value.dtype.str} "), key
            assert kind.count(",") == value.ndim - 1, key
        elif value is not None:
            name = {float: "float", int: "int", list: "list", dict: "map"}[type(value)]
            assert kind.startswith(name), key
        else:
            assert kind.endswith("or nil"), key


def test_limits_of_a_daemon() -> None:
    limits = DaemonHandlers._limits(typing.cast(Any, SimpleNamespace(_settings=Settings())))
    assert table("Limits of a daemon").column("key") == list(limits)


def example(name: str) -> list[bytes]:
    (block,) = code_blocks(TEXT, f"hex {name}")
    return [bytes.fromhex(line) for line in block.splitlines()]


def test_the_session_in_hexadecimal_is_what_the_code_says_and_reads() -> None:
    hello = messages.Hello(name="sketch", client="script", version="0.1")
    assert example("hello") == codec.encode(Header(Kind.REQUEST, "hello", "1"), messages.to_body(hello))
    status = codec.decode(example("status"))
    assert status.header.method == messages.Method.JOB_STATUS
    assert len(messages.from_body(messages.JobRef, status.body).job) == 36
    unknown = codec.decode(example("unknown"))
    assert unknown.header.request_id == status.header.request_id
    assert unknown.body["error"]["code"] == ErrorCode.REQUEST_NOT_FOUND
    root_m = codec.decode(example("array")).body["root_m"]
    assert root_m.tolist() == [[0.0, 1.0, 0.0], [0.5, 1.0, 0.0]]
    topic, *frames = example("event")
    event = codec.decode(frames)
    assert topic.decode() == event.header.method == messages.EventName.MODEL_READY
    assert messages.from_body(messages.ModelReply, event.body).state is messages.ModelState.READY


def test_the_frames_of_the_session_can_be_read_with_msgpack_alone() -> None:
    header, body, frame = example("array")
    assert msgpack.unpackb(header) == {"v": 1, "k": "reply", "m": "job.result", "id": "3", "a": 1}
    reference = msgpack.unpackb(body)["root_m"]
    assert reference.code == version.EXT_ARRAY
    dtype, shape, index = msgpack.unpackb(reference.data)
    assert (dtype, shape, index) == ("<f4", [2, 3], 0)
    assert len(frame) == 24


def test_every_link_inside_the_document_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", plain(h).lower()).replace(" ", "-")
        for h in re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    }
    targets = set(re.findall(r"\]\(#(.+?)\)", TEXT))
    assert targets <= headings, targets - headings


def test_the_document_has_no_table_that_is_not_tested() -> None:
    prose_only = {"Transport"}
    tested = set(MESSAGES) | set(ENUMS) | {"Kind", "Methods", "Events", "Transitions", "Versions and limits", "Header"}
    tested |= {"Errors", "Run file", "The worker link", "TaskJob", "The arrays result", "Limits of a daemon"}
    tested |= {"A retarget's request", "Options of a retarget", "What models tells", "Keys"}
    assert {t.heading for t in TABLES} <= tested | prose_only
