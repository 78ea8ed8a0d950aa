# SPDX-License-Identifier: Apache-2.0
"""``answer(config, vector)``: one recorded HTTP request to a real daemon's HTTP door, and its answer as recorded ones.

Bodies go out byte for byte where the recording has them (``raw``). A 202 is followed to its end.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from motionmcp.client import glb_to_gltf, parse_gltf_samples
from tests.conformance.adapter import Answer, plain
from tests.conformance.daemons import Daemon, daemon_for

_START_S, _CALL_S, _POLL_S = 30.0, 60.0, 0.05

# Every daemon that is started from here on opens its door, wherever a port is free.
os.environ["KINEOGRAPH_HTTP"] = "127.0.0.1:0"


def answer(config: Mapping[str, Any], vector: Mapping[str, Any]) -> Answer:
    """The door's answer to ``vector``, asked of a daemon with the models of ``config``."""
    url = door_of(daemon_for(config))
    status, headers, body = ask(url, "POST", "/generate", body_of(vector))
    while status == 202:
        time.sleep(_POLL_S)
        status, headers, body = ask(url, "GET", headers["location"])
    return told(status, headers, body)


def body_of(vector: Mapping[str, Any]) -> bytes:
    """The bytes to send. Where the size of JSON matters it is written as tightly as it was for the recording."""
    if "raw" in vector:
        raw = vector["raw"]
        return base64.b64decode(raw["base64"]) if "base64" in raw else str(raw["text"]).encode()
    tight = "byte_size_json" in vector["tags"]
    return json.dumps(plain(vector["request"]), separators=(",", ":") if tight else None).encode()


def door_of(daemon: Daemon) -> str:
    """Where a daemon's door listens."""
    note = Path(daemon.home) / "run" / "http.json"
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s:
        if note.exists():
            return str(json.loads(note.read_text("utf-8"))["url"])
        time.sleep(0.02)
    raise RuntimeError("the door did not open: " + daemon.output.read_text("utf-8", "replace")[-2000:])


def ask(url: str, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    """One exchange: status, headers (lower case) and body."""
    parts = urlsplit(url)
    link = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_CALL_S)
    try:
        link.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
        reply = link.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        link.close()


def told(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """An answer in the recording's shape."""
    if headers.get("content-type", "") == "model/gltf-binary":
        return {"status": status, "ok": _summary(glb_to_gltf(body))}
    content = json.loads(body)
    if "error" in content:
        wait = headers.get("retry-after")
        return {"status": status, "error": content["error"], "retry_after_s": None if wait is None else float(wait)}
    if "results" in content:
        results = [r if "error" in r else {"ok": _summary(r["gltf"])} for r in content["results"]]
        return {"status": status, "results": results}
    return {"status": status, "ok": _summary(content)}


def _summary(document: dict[str, Any]) -> dict[str, Any]:
    samples = parse_gltf_samples(document)
    return {
        "node_names": [node["name"] for node in document["nodes"]],
        "num_frames": [sample["num_frames"] for sample in samples],
        "fps": samples[0]["fps"],
        "num_samples": len(samples),
        "extension": document["extensions"]["MMCP_motion"],
    }
