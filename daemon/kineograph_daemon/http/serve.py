# SPDX-License-Identifier: Apache-2.0
"""The door's process: binds, says where, serves until the daemon's pipe closes or a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from kineograph import files, paths
from kineograph_daemon import logs
from kineograph_daemon.http.app import Door
from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.protocol import HEADER_S, MAX_HEADER_BYTES, DoorProtocol

_log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 30
_DRAIN_S = 2
_BACKLOG = 512


def run(config: DoorConfig) -> int:
    """Be the door. Returns 1 when the address cannot be had."""
    logs.set_up("http")
    # The access log is the metrics' business; uvicorn's own warnings belong into our file.
    logging.getLogger("uvicorn.access").disabled = True
    try:
        listener = bind(config)
    except OSError as e:
        _log.error("the HTTP door cannot listen on %s port %d: %s", config.host, config.port, e)
        print(f"the HTTP door cannot listen on {config.host} port {config.port}: {e}", file=sys.stderr, flush=True)
        return 1
    url = _url(config, listener)
    note = paths.runtime_dir() / "http.json"
    with listener:
        asyncio.run(_serve(config, listener, lambda: _announce(note, url)))
    with contextlib.suppress(OSError, ValueError):
        if json.loads(note.read_text("utf-8")).get("pid") == os.getpid():
            note.unlink()
    return 0


async def _serve(config: DoorConfig, listener: socket.socket, announce: Callable[[], None]) -> None:
    door = Door(config)
    DoorProtocol.header_s = min(HEADER_S, config.read_s)
    server = uvicorn.Server(
        uvicorn.Config(
            door,
            http=DoorProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_DRAIN_S,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            ssl_certfile=config.certificate or None,
            ssl_keyfile=config.key or None,
        )
    )
    loop = asyncio.get_running_loop()
    _watch_parent(lambda: loop.call_soon_threadsafe(_end, server))
    announce()
    try:
        await server.serve(sockets=[listener])
    finally:
        await door.close()


def _end(server: uvicorn.Server) -> None:
    server.should_exit = True


def _watch_parent(gone: Callable[[], object]) -> None:
    """Call ``gone`` when the pipe from the daemon closes; a terminal instead of a pipe is nobody's."""
    if sys.stdin is None or sys.stdin.isatty():
        return

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            gone()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def bind(config: DoorConfig) -> socket.socket:
    """A socket that listens where the door stands. Raises OSError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on: every answer on a kept connection would take 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _url(config: DoorConfig, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if config.certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _announce(note: Path, url: str) -> None:
    files.write_json(note, {"url": url, "pid": os.getpid()})
    _log.info("ready", extra={"data": {"url": url}})
    print(url, flush=True)
