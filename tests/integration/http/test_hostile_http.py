# SPDX-License-Identifier: Apache-2.0
"""Clients that are broken, slow or hostile are refused in the envelope or hung up on; the door serves the others."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator

import psutil
import pytest
from tests.fakes.backbones import request_map
from tests.integration.http.conftest import Answer, House, Site, answer_of, wait_until

READ_S = 1.0
CAP = 2**20


@pytest.fixture(scope="module")
def door_flags() -> tuple[str, ...]:
    """Slow clients are given up on soon, and few may come at once."""
    return ("--http-read-s", str(READ_S), "--http-requests", "8")


@pytest.fixture(autouse=True)
def _serves_afterwards(door: Site) -> Iterator[None]:
    yield
    # Whoever hung up may still hold a place for a moment.
    wait_until(lambda: door.ask("POST", "/generate", request_map(frames=3)).status == 200)


def head(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BAD_BODIES = {
    "nothing": b"",
    "no json": b"{",
    "noise": bytes(range(256)),
    "a number": b"5",
    "a list": b"[]",
    "a text": b'"x"',
    "nan": b'{"protocol_version": NaN}',
    "deep lists": b"[" * 200_000,
    "deep maps": b'{"a":' * 50_000,
    "deep but whole": b"[" * 900 + b"]" * 900,
    "deep maps but whole": b'{"model":' * 900 + b"0" + b"}" * 900,
    "deep within": b'{"protocol_version": "1.4", "segments": ' + b"[" * 990 + b"]" * 990 + b"}",
    "a long number": b'{"protocol_version": ' + b"9" * 4000 + b"}",
    "a longer number": b'{"protocol_version": ' + b"9" * 9000 + b"}",
    "a lone surrogate": b'{"protocol_version": "\\ud800"}',
    "utf-16": '{"protocol_version": "1.4"}'.encode("utf-16"),
    "no requests": b'{"requests": {}, "protocol_version": "1.4"}',
    "odd requests": b'{"requests": [1, null, [], "x"], "protocol_version": "1.4"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_that_is_no_request(door: Site, body: bytes) -> None:
    answer = door.ask("POST", "/generate", body)
    if body == BAD_BODIES["odd requests"]:
        assert [r["error"]["code"] for r in answer.json["results"]] == ["schema_validation"] * 4
    else:
        assert (answer.status, answer.code) == (422, "schema_validation")


def test_a_declared_gigabyte_is_refused_unread(door: Site) -> None:
    answer = answer_of(door.raw(head("POST", "/generate", f"Content-Length: {2**30}")))
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert answer.json["error"]["details"]["request_bytes"] == 2**30


def test_a_streamed_gigabyte_is_refused_at_the_cap(door: Site, open_house: House) -> None:
    assert open_house.process is not None
    process = next(
        p for p in psutil.Process(open_house.process.pid).children() if "kineograph_daemon.http" in p.cmdline()
    )
    before = process.memory_info().rss
    with socket.create_connection(door.address, 10) as link:
        link.sendall(head("POST", "/generate", "Transfer-Encoding: chunked"))
        part, sent = chunk(b"x" * 65_536), 0
        try:
            while sent < 2**30:
                link.sendall(part)
                sent += 65_536
        except OSError:
            pass  # the door hung up: that is the refusal
        try:
            told = link.recv(65_536)
        except ConnectionError:
            told = b""
    assert sent < 200 * 2**20
    assert not told or b"payload_too_large" in told
    assert process.memory_info().rss - before < 50 * 2**20


def test_a_little_too_much_is_told_exactly(door: Site) -> None:
    body = json.dumps(request_map(prompt="x" * (CAP + 10))).encode()
    answer = door.ask("POST", "/generate", body)
    assert (answer.status, answer.code) == (413, "payload_too_large")
    streamed = door.raw(head("POST", "/generate", "Transfer-Encoding: chunked"), chunk(body) + b"0\r\n\r\n")
    assert (answer_of(streamed).status, b"payload_too_large" in streamed) == (413, True)


def test_a_bomb_is_refused(door: Site) -> None:
    bomb = gzip.compress(b" " * (64 * 2**20))
    assert len(bomb) < CAP
    answer = door.ask("POST", "/generate", bomb, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.code) == (413, "payload_too_large")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x" * 500])
def test_an_unknown_packing_is_refused(door: Site, encoding: str) -> None:
    answer = door.ask("POST", "/generate", b"x", {"Content-Encoding": encoding})
    assert (answer.status, answer.code) == (415, "invalid_parameters")
    assert "gzip" in answer.headers["accept-encoding"]


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}", mtime=0)[:-6], zlib.compress(b"{}")])
def test_a_body_that_is_no_gzip(door: Site, body: bytes) -> None:
    answer = door.ask("POST", "/generate", body, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.code) == (422, "schema_validation")


def test_a_body_that_does_not_come(door: Site) -> None:
    began_s = time.monotonic()
    answer = answer_of(door.raw(head("POST", "/generate", "Content-Length: 100"), b'{"a"'))
    assert (answer.status, answer.code) == (408, "timeout")
    assert time.monotonic() - began_s > READ_S * 0.9


def test_a_body_that_drips(door: Site) -> None:
    raw = door.raw(head("POST", "/generate", "Content-Length: 1000"), *[b"{"] * 40, pause_s=0.1)
    assert not raw or answer_of(raw).status == 408


def test_headers_that_do_not_come(door: Site) -> None:
    answer = answer_of(door.raw(b"POST /generate HTTP/1.1\r\nHost: 127"))
    assert (answer.status, answer.code) == (408, "timeout")
    assert door.raw(b"") == b""  # silent: hung up on without a word


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        head("GET", "/", "Host: again"),
        head("POST", "/generate", "Content-Length: -1"),
        head("POST", "/generate", "Content-Length: 5", "Content-Length: 6") + b"{}",
        head("POST", "/generate", "Content-Length: 1e3"),
        head("POST", "/generate", "Content-Length: 5", "Transfer-Encoding: gzip, chunked"),
        head("POST", "/generate", "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n",
        head("GET", "/", "X: " + "a" * 100_000),
        head("GET", "/" + "a" * 100_000),
        head("GET", "/", *[f"X-{i}: y" for i in range(5000)]),
        head("GET", "/", "X: a\x00b"),
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n X: folded\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:24]),
)
def test_what_is_no_request(door: Site, sent: bytes) -> None:
    raw = door.raw(sent)
    assert raw, "hung up without a word"
    answer = answer_of(raw)
    assert 400 <= answer.status < 500
    assert answer.code in ("schema_validation", "timeout", "forbidden", "invalid_request", "payload_too_large")


def test_a_length_that_lies(door: Site) -> None:
    body = json.dumps(request_map(frames=3)).encode()
    short = answer_of(door.raw(head("POST", "/generate", f"Content-Length: {len(body) - 5}") + body))
    assert (short.status, short.code) == (422, "schema_validation")
    long = answer_of(door.raw(head("POST", "/generate", f"Content-Length: {len(body) + 5}") + body))
    assert (long.status, long.code) == (408, "timeout")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/generate/jobs/../../../etc/passwd",
        "/generate/jobs/..%2f..%2fetc%2fpasswd",
        "/generate/jobs/%2e%2e",
        "//capabilities",
        "/capabilities/",
        "/CAPABILITIES",
        "/capabilities%00",
        "/generate/jobs/" + "9" * 3000,
        "/generate/jobs/%ff%fe",
        "/docs/../metrics",
        "http://127.0.0.1/elsewhere",
        "*",
    ],
)
def test_paths_lead_nowhere_else(door: Site, path: str) -> None:
    answer = answer_of(door.raw(head("GET", path, "Connection: close")))
    assert answer.status in (400, 404)
    assert answer.code in ("invalid_request", "request_not_found", "schema_validation")
    assert b"root:" not in answer.body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_another_sites_name_is_refused(door: Site, host: str) -> None:
    answer = door.ask("GET", "/capabilities", headers={"Host": host})
    assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:80", "localhost."])
def test_own_names_are_taken(door: Site, host: str) -> None:
    assert door.ask("GET", "/capabilities", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "file://", "http://127.0.0.1:1", "http://localhost"]
)
def test_another_sites_page_is_refused(door: Site, origin: str) -> None:
    answer = door.ask("POST", "/generate", request_map(), {"Origin": origin})
    assert (answer.status, answer.code) == (403, "forbidden")
    assert "access-control-allow-origin" not in answer.headers
    quiet = door.ask("GET", "/capabilities", headers={"Sec-Fetch-Site": "cross-site"})
    assert (quiet.status, quiet.code) == (403, "forbidden")


def test_more_at_once_than_it_takes_are_told_to_wait(door: Site) -> None:
    seen: list[Answer] = []

    def is_refused() -> bool:
        """Bodies that do not come hold a place each, until they have taken too long."""
        with contextlib.ExitStack() as links:
            for _ in range(10):
                link = links.enter_context(socket.create_connection(door.address, 60))
                link.sendall(head("POST", "/generate", "Content-Length: 9"))
            seen.append(door.ask("GET", "/capabilities"))
            assert door.ask("GET", "/healthz").status == 200
        return seen[-1].status == 429

    wait_until(is_refused)
    assert seen[-1].code == "rate_limited"
    assert seen[-1].json["error"]["details"]["concurrency_limit"] == 8


def test_two_requests_in_one_go(door: Site) -> None:
    two = head("GET", "/healthz") + head("GET", "/nowhere", "Connection: close")
    raw = door.raw(two)
    assert raw.count(b"HTTP/1.1 ") == 2
    assert raw.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 404" in raw
