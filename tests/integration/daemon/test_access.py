# SPDX-License-Identifier: Apache-2.0
"""Who may do what: ipc is the user's own, TCP always wants a key, and a key has a role."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import zmq
from tests.integration.daemon.conftest import House, Wire, generate, shown, wait_until

from kineograph.client.keys import client_keys
from kineograph.errors import ErrorCode


def make_keys(house: House, **roles: str) -> dict[str, dict[str, bytes]]:
    """Key pairs by name, written into the daemon's list of clients."""
    pairs = {name: zmq.curve_keypair() for name in roles}
    listed = [{"name": n, "public_key": pairs[n][0].decode(), "role": role} for n, role in roles.items()]
    (house.home / "config" / "clients.json").write_text(json.dumps({"clients": listed}))
    return {name: {"curve_publickey": public, "curve_secretkey": secret} for name, (public, secret) in pairs.items()}


def tcp_house(make_house: Callable[..., House]) -> tuple[House, str, bytes]:
    house = make_house("--tcp", start=False)
    house.home.mkdir()
    out = (house.home / "stdout").open("wb")
    popen = subprocess.Popen

    def with_output(*args: object, **options: object) -> subprocess.Popen[bytes]:
        return popen(*args, stdout=out, **options)  # type: ignore[call-overload,no-any-return]

    subprocess.Popen = with_output  # type: ignore[assignment,misc]
    try:
        house.start()
    finally:
        subprocess.Popen = popen  # type: ignore[misc]
        out.close()
    found = re.search(r"(tcp://\S+) (\S{40})", (house.home / "stdout").read_text())
    assert found is not None
    assert house.run_file.server_key == found[2]
    return house, found[1], found[2].encode()


def test_the_sockets_lie_in_a_private_folder(house: House) -> None:
    folder = Path(house.run_file.endpoint.removeprefix("ipc://")).parent
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert house.wire().call("hello")["role"] == "admin"
    assert house.run_file.server_key is None


def test_tcp_wants_a_key_and_the_key_has_a_role(make_house: Callable[..., House]) -> None:
    house, endpoint, server_key = tcp_house(make_house)
    house.wait_for_workers()
    keys = make_keys(house, watch="observe", work="submit", boss="admin")

    def door(name: str) -> Wire:
        return house.wire(endpoint, curve_serverkey=server_key, **keys[name])

    watch, work, boss = door("watch"), door("work"), door("boss")
    assert [w.call("hello")["role"] for w in (watch, work, boss)] == ["observe", "submit", "admin"]
    assert watch.call("job.list")["total"] == 0
    error = watch.error("generate", generate())
    assert error.code is ErrorCode.FORBIDDEN
    assert (error.details["got"], error.details["allowed"]) == ("observe", "submit")
    assert "watch, not submit" in shown(error).text
    body = generate()
    work.call("generate", body)
    assert work.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"
    assert watch.call("job.status", {"job": body["job"]})["state"] == "succeeded"
    assert watch.error("job.result", {"job": body["job"]}).code is ErrorCode.FORBIDDEN
    assert work.error("daemon.stop").code is ErrorCode.FORBIDDEN
    assert boss.call("daemon.drain", {"on": False}) == {"ok": True}

    own = client_keys()
    me = house.wire(
        endpoint,
        curve_serverkey=server_key,
        curve_publickey=own.public.encode(),
        curve_secretkey=own.secret.encode(),
    )
    assert me.call("hello")["role"] == "admin"

    with boss.context.socket(zmq.SUB) as events:
        for name, value in {"curve_serverkey": server_key, **keys["watch"]}.items():
            setattr(events, name, value)
        events.set(zmq.SUBSCRIBE, b"daemon.")
        events.connect(watch.call("hello")["events"])
        assert events.poll(60_000), "events reach a key that may watch"

    (house.home / "config" / "clients.json").write_text(json.dumps({"clients": []}))
    refused = work.error("hello")
    assert refused.code is ErrorCode.UNAUTHORIZED, "a key that is taken out stops working at once"
    assert "key" in shown(refused).text
    assert me.call("hello")["role"] == "admin"


def test_without_the_right_key_nobody_gets_in(make_house: Callable[..., House]) -> None:
    house, endpoint, server_key = tcp_house(make_house)
    public, secret = zmq.curve_keypair()
    for options in ({}, {"curve_serverkey": server_key, "curve_publickey": public, "curve_secretkey": secret}):
        wire = house.wire(endpoint, **options)
        wire.send("hello")
        assert not wire.socket.poll(700)
    assert house.wire().call("hello")["pid"], "the daemon serves its user all the while"
    (house.home / "config" / "clients.json").write_text("no json")
    wait_until(lambda: house.wire().call("hello"))


def test_only_this_computer_is_listened_on(make_house: Callable[..., House]) -> None:
    house = make_house("--tcp", "0.0.0.0", start=False)
    house.home.mkdir()
    ended = subprocess.run(house.command, env=house.env, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert b"only this computer's own address" in ended.stderr
    assert b"Traceback" not in ended.stderr
