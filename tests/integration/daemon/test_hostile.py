# SPDX-License-Identifier: Apache-2.0
"""Peers that are broken, foreign or hostile get a clear error or are dropped; the daemon serves the others."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Callable

import msgpack
import pytest
import zmq
from tests.integration.daemon.conftest import House, generate, shown, wait_until

from kineograph.errors import ErrorCode, from_envelope
from kineograph.wire import codec, zmtp
from kineograph.wire import version as limits
from kineograph.wire.codec import Header, Kind
from kineograph_daemon.settings import Settings


def packed(method: str = "hello", request_id: str = "7", **changes: object) -> bytes:
    header = {"v": 1, "k": "request", "m": method, "id": request_id, "a": 0, **changes}
    return bytes(msgpack.packb(header))


EMPTY = msgpack.packb({})
DEEP = b"\x91" * 5000 + b"\xc0"
BODIES: dict[str, tuple[list[bytes], ErrorCode]] = {
    "nothing": ([b""], ErrorCode.BAD_RESPONSE),
    "one frame": ([packed()], ErrorCode.BAD_RESPONSE),
    "noise": ([os.urandom(100), os.urandom(100)], ErrorCode.BAD_RESPONSE),
    "a header that is no map": ([msgpack.packb([1, 2]), EMPTY], ErrorCode.BAD_RESPONSE),
    "a huge header": ([b"\xdb" + struct.pack(">I", 8000) + b"x" * 8000, EMPTY], ErrorCode.BAD_RESPONSE),
    "a header that claims 10 GB": ([b"\xdf\xff\xff\xff\xff", EMPTY], ErrorCode.BAD_RESPONSE),
    "an array count beyond the limit": ([packed(a=2**31), EMPTY], ErrorCode.BAD_RESPONSE),
    "arrays that did not come": ([packed(a=3), EMPTY], ErrorCode.BAD_RESPONSE),
    "a body that claims 4 GB": ([packed(), b"\xc6\xff\xff\xff\xff"], ErrorCode.BAD_RESPONSE),
    "a body that is no map": ([packed(), msgpack.packb("x")], ErrorCode.BAD_RESPONSE),
    "a deep body": ([packed(), DEEP], ErrorCode.BAD_RESPONSE),
    "a reply": ([packed(k="reply"), EMPTY], ErrorCode.BAD_RESPONSE),
    "another wire": ([packed(v=99), EMPTY], ErrorCode.PROTOCOL_MISMATCH),
    "another wire in hello": ([packed(), msgpack.packb({"wire": [99]})], ErrorCode.PROTOCOL_MISMATCH),
    "an unknown method": ([packed("daemon.explode"), EMPTY], ErrorCode.SCHEMA_VALIDATION),
    "a missing field": ([packed("job.status"), EMPTY], ErrorCode.SCHEMA_VALIDATION),
    "a wrong type": ([packed("job.status"), msgpack.packb({"job": 5})], ErrorCode.SCHEMA_VALIDATION),
    "an unknown job": ([packed("job.status"), msgpack.packb({"job": "x"})], ErrorCode.REQUEST_NOT_FOUND),
    "no uuid": ([packed("generate"), msgpack.packb({"job": "../../x", "request": {}})], ErrorCode.SCHEMA_VALIDATION),
}


def array_body(shape: list[int], frame: int = 0, dtype: str = "<f4") -> bytes:
    reference = msgpack.ExtType(limits.EXT_ARRAY, msgpack.packb([dtype, shape, frame]))
    return bytes(msgpack.packb({"job": "x", "a": reference}))


BODIES |= {
    "a truncated array": ([packed(a=1), array_body([4]), b"1234"], ErrorCode.BAD_RESPONSE),
    "an array of 10 GB": ([packed(a=1), array_body([2**20, 2500]), b""], ErrorCode.BAD_RESPONSE),
    "an array elsewhere": ([packed(a=1), array_body([1], frame=9), b"1234"], ErrorCode.BAD_RESPONSE),
    "an array of objects": ([packed(a=1), array_body([1], dtype="|O8"), b"12345678"], ErrorCode.BAD_RESPONSE),
}


def test_garbage_gets_a_clear_error_and_hurts_nobody(house: House) -> None:
    good = house.wire()
    for name, (frames, code) in BODIES.items():
        wire = house.wire()
        wire.socket.send_multipart(frames)
        message = wire.receive()
        assert message.header.kind is Kind.ERROR, name
        assert from_envelope(message.body).code is code, name
        assert message.body["error"]["message"], name
        assert good.call("hello")["pid"], name


def test_noise_of_all_kinds_never_ends_the_daemon(house: House) -> None:
    rng = random.Random(7)
    good, wire = house.wire(), house.wire()
    seed = [bytes(f) for f in codec.encode(Header(Kind.REQUEST, "generate", "1"), generate())]
    for _ in range(500):
        frames = [bytearray(f) for f in seed]
        for frame in frames:
            for _ in range(rng.randrange(4)):
                frame[rng.randrange(len(frame))] = rng.randrange(256)
        if rng.random() < 0.2:
            frames = [*frames[: rng.randrange(3)], bytearray(rng.randbytes(rng.randrange(50)))]
        wire.socket.send_multipart([bytes(f) for f in frames])
    wait_until(lambda: good.call("daemon.stats")["epoch"])
    assert not any(line["level"] == "error" and "a request failed" in line["msg"] for line in house.log())


def test_a_frame_beyond_the_limit_drops_its_sender_only(make_house: Callable[..., House]) -> None:
    house = make_house("--frame-limit-mb", "1")
    good, bad = house.wire(), house.wire()
    bad.call("hello")
    bad.socket.send_multipart([packed(), bytes(2 * 2**20)])
    assert not bad.socket.poll(500), "no answer: the connection was dropped"
    assert good.call("hello")["limits"]["max_array_bytes"] == 2**20
    assert good.call("daemon.stats")["memory_bytes"] < 120e6


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(house: House) -> None:
    wire = house.wire()
    most = wire.call("hello")["limits"]["max_body_bytes"]
    assert most == Settings().body_limit_mb * 2**20
    wire.socket.send_multipart([packed("generate"), b"\xc1" * (most + 2**21)])  # no msgpack at all
    refused = from_envelope(wire.receive().body)
    assert refused.code is ErrorCode.PAYLOAD_TOO_LARGE
    assert "body_limit_mb" in refused.message
    assert "limit 33.6 MB" in shown(refused).text
    assert wire.call("hello")["pid"], "the connection is kept"


def test_too_many_frames_are_refused_without_being_kept(house: House) -> None:
    wire = house.wire()
    wire.socket.send_multipart([packed(a=1024), EMPTY, *([b"x" * 100] * 20_000)])
    assert from_envelope(wire.receive().body).code is ErrorCode.BAD_RESPONSE


def test_peers_that_do_not_speak_zeromq_are_dropped(house: House) -> None:
    path = house.run_file.endpoint.removeprefix("ipc://")
    for words in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(64), b"\xff" + struct.pack(">Q", 10 * 2**30) + b"\x7f", b""):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        peer.sendall(words)
        peer.shutdown(socket.SHUT_WR)  # half-closed: it will hear, it will not speak
        assert house.wire().call("hello")["pid"]
        peer.close()


def test_a_peer_that_does_not_read_is_not_waited_for(make_house: Callable[..., House]) -> None:
    house = make_house("--peer-queue", "10")
    house.wait_for_workers()
    good, deaf = house.wire(), house.wire()
    deaf.socket.set(zmq.RCVHWM, 1)
    for _ in range(3000):
        deaf.send("capabilities")
    wait_until(lambda: good.call("hello")["pid"])
    assert good.call("daemon.stats")["memory_bytes"] < 160e6


def test_a_topic_of_megabytes_is_none(house: House) -> None:
    events = house.wire().call("hello")["events"]
    topic = b"".join(map(bytes, zmtp.framed([b"\1" + b"x" * 20 * 2**20])))
    with socket.socket(socket.AF_UNIX) as bad, zmq.Context() as context, context.socket(zmq.SUB) as good:
        bad.connect(events.removeprefix("ipc://"))
        bad.sendall(zmtp.GREETING + zmtp.ready(b"SUB"))
        with pytest.raises(ConnectionError):  # libzmq by itself keeps a node of each byte, and a call for each
            bad.sendall(topic)
        good.set(zmq.LINGER, 0)
        good.connect(events)
        good.subscribe(b"daemon.")
        assert good.poll(60_000)
        assert good.recv_multipart()[0] == b"daemon.heartbeat"
    assert house.wire().call("daemon.stats")["memory_bytes"] < 120e6


def test_a_request_of_arrays_that_take_no_bytes_takes_no_memory(house: House) -> None:
    wire, good = house.wire(), house.wire()
    house.wait_for_workers()
    body = generate()
    for shape in ([2**30, 0], [2**20, 0, 2**40]):
        reference = msgpack.ExtType(limits.EXT_ARRAY, msgpack.packb(["<f4", shape, 0]))
        request = {**body["request"], "options": {"seed": [reference] * 100}}
        packed_body = msgpack.packb({**body, "request": request})
        wire.socket.send_multipart([packed("generate", a=1), packed_body, b""])
        assert from_envelope(wire.receive().body).code in (ErrorCode.BAD_RESPONSE, ErrorCode.PAYLOAD_TOO_LARGE)
    assert good.call("daemon.stats")["memory_bytes"] < 120e6


def test_a_client_that_goes_while_it_waits_is_forgotten(house: House) -> None:
    wire, good = house.wire(), house.wire()
    body = generate("slow")
    wire.call("generate", body)
    wire.send("job.result", {"job": body["job"], "wait_s": 60.0})
    wire.close()
    assert good.call("job.cancel", {"jobs": [body["job"]]})["jobs"][0]["job"] == body["job"]
    assert good.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "cancelled"


def test_nobody_without_its_token_is_a_worker(house: House) -> None:
    from kineograph_daemon.workers import link

    (worker,) = house.workers()
    command = worker.cmdline()
    endpoint = command[command.index("--link") + 1]
    intruder = house.wire(endpoint, identity=b"w9")
    intruder.socket.send_multipart([bytes(f) for f in link.pack(link.WorkerReady("guess", 1, "cpu", {"evil": {}}))])
    intruder.socket.send_multipart([b"noise"])
    wire = house.wire()
    body = generate()
    wire.call("generate", body)
    assert wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"
    assert "evil" not in wire.call("hello")["models"]
