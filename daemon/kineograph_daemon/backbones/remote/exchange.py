# SPDX-License-Identifier: Apache-2.0
"""One HTTP exchange with a remote: capped, timed, its token bound to its origin, its errors mapped onto ours."""

from __future__ import annotations

import functools
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx

from kineograph.errors import AccessError, ErrorCode, KineographError, UnavailableError, error, from_envelope
from kineograph.fixes.alias import alias
from kineograph_daemon.backbones.remote import tokens
from kineograph_daemon.backbones.remote.address import Remote, is_private_line, origin_of

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every poll is no news

CONNECT_S = 10.0
ANSWER_S = 900.0
"""How long a server may take for a motion that it answers with at once."""
MOST_BYTES = 1 << 30
_MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_QUICK = httpx.Timeout(CONNECT_S)
_PATIENT = httpx.Timeout(CONNECT_S, read=ANSWER_S)
ACCEPT = "model/gltf-binary, model/gltf+json;q=0.9, application/json;q=0.8"


@dataclass(frozen=True)
class Reply:
    """What came back. Headers' names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    remote: Remote

    @property
    def json(self) -> Any:
        """The body's value. Raises ``internal_error`` for one that is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise odd(self.remote, "its answer is no JSON") from None

    @property
    def wait_s(self) -> float | None:
        """``Retry-After`` where it counts seconds."""
        text = self.headers.get("retry-after", "")
        return min(float(text), 3600.0) if text.replace(".", "", 1).isdecimal() else None


def new_client() -> httpx.AsyncClient:
    """A client for one job. It follows no redirect by itself and keeps no cookie's word for another origin."""
    return httpx.AsyncClient(follow_redirects=False, trust_env=True, verify=_certificates())


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # reading the system's certificates takes a tenth of a second


async def ask(
    client: httpx.AsyncClient,
    remote: Remote,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    is_quick: bool = False,
) -> Reply:
    """The answer, whatever its status. Raises ``service_unavailable`` when none comes, or what is wrong with it."""
    url = urljoin(remote.url + "/", path.lstrip("/")) if not path.startswith(("http:", "https:")) else path
    try:
        for _ in range(_MOST_HOPS):
            reply = await _once(client, remote, method, url, body, headers or {}, is_quick)
            target = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not target:
                return reply
            if method == "POST" and reply.status not in (307, 308):
                raise odd(remote, f"it answers a POST with {reply.status}")
            url = urljoin(url, target)
    except httpx.HTTPError as e:
        raise unreachable(remote, type(e).__name__) from None
    except (httpx.InvalidURL, ValueError):
        raise odd(remote, "it leads to an address that is none") from None
    raise odd(remote, "it leads in a circle")


async def _once(
    client: httpx.AsyncClient,
    remote: Remote,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    is_quick: bool,
) -> Reply:
    sent = {"accept": ACCEPT, "user-agent": "kineograph", **headers}
    if body is not None:
        sent["content-type"] = "application/json"
    origin = origin_of(url)
    if origin == remote.origin and (token := tokens.find(origin)) is not None:
        if not is_private_line(origin):
            raise AccessError(
                ErrorCode.UNAUTHORIZED,
                f"the token for {origin} is not sent: the connection can be read; use https",
                {"remote": remote.name, "got": "http", "allowed": "https"},
            )
        sent["authorization"] = f"Bearer {token}"
    timeout = _QUICK if is_quick else _PATIENT
    async with client.stream(method, url, content=body, headers=sent, timeout=timeout) as answer:
        data = bytearray()
        async for chunk in answer.aiter_bytes():
            data += chunk
            if len(data) > MOST_BYTES:
                raise odd(remote, f"its answer has more than {MOST_BYTES:,} bytes")
        return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, bytes(data), remote)


def failure_of(reply: Reply) -> KineographError:
    """What an answer that is no success says, as ours: its code by the table of aliases, else by its status."""
    try:
        told: Any = json.loads(reply.body)
    except (ValueError, RecursionError):
        told = {"message": ""}
    envelope = alias(told, reply.status)
    details = envelope["error"]["details"]
    details["remote"] = reply.remote.name
    envelope["error"]["message"] = _clean(str(envelope["error"]["message"]) or f"{reply.remote.host} refused")
    envelope.setdefault("request_id", reply.headers.get("x-request-id", ""))
    if reply.wait_s is not None:
        envelope["retry_after_s"] = reply.wait_s
    found = from_envelope(envelope)
    if found.code is ErrorCode.BAD_RESPONSE:
        return odd(reply.remote, f"it answered with status {reply.status}")
    return found


def unreachable(remote: Remote, reason: str) -> UnavailableError:
    """No answer came."""
    details = {"remote": remote.name, "reason": reason, "got": remote.host}
    message = f"{remote.host} does not answer ({reason})"
    return UnavailableError(ErrorCode.MODEL_UNAVAILABLE, message, details, retry_after_s=5.0)


def odd(remote: Remote, reason: str) -> KineographError:
    """An answer that an MMCP server does not give."""
    details = {"remote": remote.name, "reason": reason}
    return error(ErrorCode.INTERNAL_ERROR, f"the remote {remote.name} failed: {reason}", details)


def _clean(message: str) -> str:
    return " ".join(message.split())[:500]
