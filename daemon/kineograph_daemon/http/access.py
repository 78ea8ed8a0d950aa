# SPDX-License-Identifier: Apache-2.0
"""Who may come in: Host and Origin are checked against DNS rebinding, tokens decide the role.

A web page on another site can make a browser send requests to this computer's addresses, by a name that it lets point
here. Such a request carries that name as Host, or another site as Origin; an address written as numbers cannot be
rebound.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from kineograph.errors import AccessError, ErrorCode
from kineograph.wire.messages import Method, Role
from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.exchange import Exchange
from kineograph_daemon.http.tokens import TokenBook
from kineograph_daemon.server.auth import check_role

LOCAL = "http:local"


@dataclass(frozen=True)
class Caller:
    """Who asks: the name that the queue shows, and what that name allows."""

    name: str
    role: Role

    def check(self, method: Method) -> None:
        """Raises ``forbidden`` when the role does not allow the method."""
        check_role(self.role, method)


class Access:
    """The rules of one door."""

    def __init__(self, config: DoorConfig, tokens: TokenBook) -> None:
        self._tokens = tokens
        self._is_loopback = config.is_loopback
        self._hosts = {h.lower() for h in (config.host, *config.hosts)} | {"localhost"}
        self._origins = {o.lower().rstrip("/") for o in config.origins}

    def check_site(self, x: Exchange) -> None:
        """Raises ``forbidden`` for a request that another web site may have made."""
        host = x.headers.get("host", "")
        name = _host_name(host)
        if name not in self._hosts and not _is_number(name):
            raise _forbidden("Host", host, sorted(self._hosts), "this name does not lead to this daemon")
        origin = x.headers.get("origin")
        if origin is not None and not self._is_own(origin, host) and origin.lower() not in self._origins:
            raise _forbidden("Origin", origin, sorted(self._origins), "pages of this site may not use this daemon")
        if origin is None and x.headers.get("sec-fetch-site", "").lower() in ("cross-site", "same-site"):
            raise _forbidden("Sec-Fetch-Site", "cross-site", [], "another site's page may not use this daemon")

    def cors(self, x: Exchange) -> list[tuple[str, str]]:
        """What a page of an allowed origin needs to read the answer."""
        origin = x.headers.get("origin", "")
        if origin.lower() not in self._origins:
            return []
        exposed = "Location, Retry-After, X-Request-ID, X-Job-Id, Idempotency-Status"
        return [("access-control-allow-origin", origin), ("access-control-expose-headers", exposed)]

    def caller(self, x: Exchange) -> Caller:
        """Who asks. Raises ``unauthorized`` for a wrong token, and for none where one is wanted."""
        scheme, _, token = x.headers.get("authorization", "").partition(" ")
        if scheme:
            found = self._tokens.find(token.strip()) if scheme.lower() == "bearer" else None
            if found is None:
                raise AccessError(ErrorCode.UNAUTHORIZED, "this daemon does not know the token", {"got": "a token"})
            return Caller(f"http:{found.name}", found.role)
        if not self._is_loopback:
            raise AccessError(
                ErrorCode.UNAUTHORIZED, "this daemon wants a bearer token", {"got": None, "allowed": "Bearer TOKEN"}
            )
        return Caller(LOCAL, Role.ADMIN)

    @staticmethod
    def _is_own(origin: str, host: str) -> bool:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower() != ""


def _host_name(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _forbidden(header: str, got: str, allowed: list[str], message: str) -> AccessError:
    details = {"where": {"path": [header]}, "got": got[:200], "allowed": allowed}
    return AccessError(ErrorCode.FORBIDDEN, f"{header} {got[:200]!r}: {message}", details)
