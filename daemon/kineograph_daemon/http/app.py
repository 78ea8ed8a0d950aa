# SPDX-License-Identifier: Apache-2.0
"""The door as an ASGI app: a table of routes, the checks in front of them, the envelope behind every one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kineograph import __version__
from kineograph.errors import ErrorCode, KineographError, UnavailableError
from kineograph.wire.messages import Method
from kineograph_daemon.http import openapi
from kineograph_daemon.http.access import Access, Caller
from kineograph_daemon.http.book import Book
from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.envelope import JSON, Refusal, refusal, to_json
from kineograph_daemon.http.exchange import Exchange, Gone, Receive, Scope, Send, takes_gzip
from kineograph_daemon.http.generate import Generating
from kineograph_daemon.http.jobs import PREFIX, Jobs
from kineograph_daemon.http.line import Lines
from kineograph_daemon.http.metrics import MEDIA_TYPE as METRICS_TYPE
from kineograph_daemon.http.metrics import Metrics
from kineograph_daemon.http.tokens import TokenBook

_log = logging.getLogger(__name__)

Handler = Callable[[Exchange, Caller], Awaitable[None]]
_CORS_METHODS = "GET, POST, DELETE"
_CORS_HEADERS = "Authorization, Content-Type, Accept, Prefer, Idempotency-Key, X-Request-ID"


@dataclass(frozen=True)
class Route:
    """One path: its handlers by method. ``is_open``: no token is asked for."""

    path: str
    handlers: dict[str, Handler]
    is_open: bool = False


class Door:
    """The app. ``close`` hangs up on the daemon."""

    def __init__(self, config: DoorConfig, tokens: TokenBook | None = None) -> None:
        self._config = config
        self._lines = Lines()
        self._access = Access(config, tokens or TokenBook())
        self._metrics = Metrics()
        self._book = Book(self._lines)
        generating = Generating(config, self._lines, self._book)
        jobs = Jobs(config, self._lines, generating)
        self._job_route = Route(f"{PREFIX}{{id}}", {"GET": jobs.get, "DELETE": jobs.delete})
        routes = (
            Route("/capabilities", {"GET": self._capabilities}),
            Route("/generate", {"POST": generating.post}),
            Route("/healthz", {"GET": self._health}, is_open=True),
            Route("/metrics", {"GET": self._metrics_page}),
            Route("/openapi.json", {"GET": self._openapi}),
            Route("/docs", {"GET": self._docs}),
        )
        self._routes = {route.path: route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            raise RuntimeError(f"the door takes HTTP only, not {scope['type']}")
        x = Exchange(scope, receive, send)
        began_s = self._metrics.begin()
        route = self._route(x.path)
        try:
            await self._serve(x, route)
        except Gone:
            pass
        except (KineographError, Refusal) as e:
            await x.fail(e)
        except Exception as e:  # noqa: BLE001 - told and logged; the door must live
            _log.exception("a request failed", extra={"data": {"path": x.path[:200], "request_id": x.request_id}})
            if not x.status:
                await x.fail(e)
        finally:
            name = "other" if route is None else route.path
            method = x.method if x.method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else "other"
            self._metrics.end(began_s, name, method, x.status, x.received_bytes, x.sent_bytes)

    async def close(self) -> None:
        """Hang up."""
        await self._lines.close()

    async def _serve(self, x: Exchange, route: Route | None) -> None:
        self._access.check_site(x)
        x.extra += self._access.cors(x)
        if route is None:
            raise refusal(
                404,
                ErrorCode.INVALID_REQUEST,
                "there is nothing at this path",
                got=x.path[:200],
                allowed=[*self._routes],
            )
        allowed = ", ".join([*route.handlers, *(["HEAD"] if "GET" in route.handlers else []), "OPTIONS"])
        if x.method == "OPTIONS":
            await x.respond(204, headers=[("allow", allowed), *self._preflight(x)])
            return
        handler = route.handlers.get("GET" if x.method == "HEAD" else x.method)
        if handler is None:
            raise refusal(
                405,
                ErrorCode.INVALID_REQUEST,
                f"{x.method[:20]} is not for this path",
                [("allow", allowed)],
                got=x.method[:20],
                allowed=allowed.split(", "),
            )
        nobody = Caller("http:anybody", _least())
        caller = nobody if route.is_open else self._access.caller(x)
        if not route.is_open and self._metrics.active > self._config.most_requests:
            details = {"active_requests": self._metrics.active, "concurrency_limit": self._config.most_requests}
            raise UnavailableError(ErrorCode.RATE_LIMITED, "too many requests at once", details, retry_after_s=1.0)
        await handler(x, caller)

    def _route(self, path: str) -> Route | None:
        found = self._routes.get(path)
        if found is None and path.startswith(PREFIX) and "/" not in path.removeprefix(PREFIX):
            return self._job_route
        return found

    @staticmethod
    def _preflight(x: Exchange) -> list[tuple[str, str]]:
        if not any(name == "access-control-allow-origin" for name, _ in x.extra):
            return []
        return [
            ("access-control-allow-methods", _CORS_METHODS),
            ("access-control-allow-headers", _CORS_HEADERS),
            ("access-control-max-age", "600"),
        ]

    # ---- the small pages -------------------------------------------------------------------------------------------

    async def _capabilities(self, x: Exchange, caller: Caller) -> None:
        caller.check(Method.CAPABILITIES)
        page = await self._book.page()
        headers = [("content-type", JSON), ("vary", "accept-encoding"), ("etag", page.etag), *x.extra]
        if page.etag in x.headers.get("if-none-match", ""):
            await x.respond_packed(304, b"", [("etag", page.etag), *x.extra])
        elif takes_gzip(x.headers.get("accept-encoding", "")):
            await x.respond_packed(200, page.packed, [*headers, ("content-encoding", "gzip")])
        else:
            await x.respond_packed(200, page.body, headers)

    async def _health(self, x: Exchange, _caller: Caller) -> None:
        await self._book.check()
        await x.respond(200, to_json({"status": "ok", "version": __version__}), JSON)

    async def _metrics_page(self, x: Exchange, caller: Caller) -> None:
        caller.check(Method.DAEMON_STATS)
        await x.respond(200, await self._metrics.text(self._lines.of(caller.name)), METRICS_TYPE)

    async def _openapi(self, x: Exchange, _caller: Caller) -> None:
        await x.respond(200, to_json(await openapi.document()), JSON)

    async def _docs(self, x: Exchange, _caller: Caller) -> None:
        policy = [("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")]
        await x.respond(200, openapi.page(await openapi.document()), "text/html; charset=utf-8", policy)


def _least() -> Any:
    from kineograph.wire.messages import Role

    return Role.OBSERVE
