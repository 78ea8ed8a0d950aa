# SPDX-License-Identifier: Apache-2.0
"""A scripted HTTP server that remembers every request to the last byte: a service as good or as bad as a test wants."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One request as it came. Headers' names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


@dataclass
class Script:
    """One answer; ``body`` is sent as it is, anything else as JSON. Status 0: none, the connection breaks."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answerer = Callable[[Seen], Script]


class Service:
    """Answers with ``scripts`` in order, then with ``always``."""

    def __init__(self, always: Answerer) -> None:
        self.always = always
        self.scripts: deque[Script | Answerer] = deque()
        self.seen: list[Seen] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                seen = Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                service.seen.append(seen)
                is_scripted = service.scripts and self.command == "POST"
                told = service.scripts.popleft() if is_scripted else service.always
                script = told if isinstance(told, Script) else told(seen)
                if script.status == 0:
                    self.close_connection = True
                    return
                data = script.body if isinstance(script.body, bytes) else json.dumps(script.body).encode()
                self.send_response(script.status)
                headers = {"content-type": "application/json", **script.headers, "content-length": str(len(data))}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _any

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, method: str) -> list[Seen]:
        """The requests of one method."""
        return [seen for seen in self.seen if seen.method == method]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
