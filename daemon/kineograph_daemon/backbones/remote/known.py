# SPDX-License-Identifier: Apache-2.0
"""Which models the configured remotes have: asked at the worker's start, remembered for a start without them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motionmcp.backbone import Backbone, ModelSpec
from motionmcp.errors import ProtocolError
from pydantic import ValidationError

from kineograph import files, paths
from kineograph.errors import KineographError
from kineograph_daemon.backbones.remote import exchange
from kineograph_daemon.backbones.remote.address import Remote, configured
from kineograph_daemon.backbones.remote.backbone import RemoteBackbone
from kineograph_daemon.backbones.remote.exchange import failure_of, odd
from kineograph_daemon.workers.link import TOKEN_ENV

_log = logging.getLogger(__name__)

_ASK_S = 8.0
_AGAIN_S = 20.0
_MAJOR = "1"


class Unreached(Backbone):
    """Stands for a remote that nobody has ever reached from here: it can only say so."""

    def __init__(self, remote: Remote, why: KineographError) -> None:
        self.model_id = remote.name
        self._why = why

    def capabilities(self) -> ModelSpec:
        """Raises why there is none."""
        raise ProtocolError("model_unavailable", self._why.message, {**self._why.details, "retry_after_s": _AGAIN_S})

    def generate(self, request: Any) -> Any:
        """Never comes to it."""
        raise ProtocolError("model_unavailable", self._why.message)


def remotes(entries: Sequence[str] | None = None) -> dict[str, Backbone]:
    """Every model of every remote, by the name it has here. Raises ``invalid_parameters`` for a wrong setting."""
    found = configured(entries)
    answers = asyncio.run(_ask_all(found))
    out: dict[str, Backbone] = {}
    missing = []
    for remote, answer in zip(found, answers, strict=True):
        if isinstance(answer, KineographError):
            _log.warning("the remote %s does not tell its models: %s", remote.name, answer)
        told = _remembered(remote) if isinstance(answer, KineographError) else answer
        models: dict[str, Backbone] = {} if told is None else {b.model_id: b for b in _backbones(remote, told)}
        if not models and isinstance(answer, KineographError):
            models = {remote.name: Unreached(remote, answer)}
            missing.append(remote)
        elif not isinstance(answer, KineographError):
            _remember(remote, answer)
        out |= models
    if missing:
        _watch(missing)
    return out


async def _ask_all(found: Sequence[Remote]) -> list[dict[str, Any] | KineographError]:
    return list(await asyncio.gather(*map(_ask, found)))


async def _ask(remote: Remote) -> dict[str, Any] | KineographError:
    try:
        async with asyncio.timeout(_ASK_S), exchange.new_client() as client:
            reply = await exchange.ask(client, remote, "GET", "/capabilities", is_quick=True)
            if reply.status != 200:
                return failure_of(reply)
            told = reply.json
    except KineographError as e:
        return e
    except TimeoutError:
        return exchange.unreachable(remote, "no answer in time")
    if not isinstance(told, dict) or not isinstance(told.get("models"), list):
        return odd(remote, "its capabilities name no models")
    if str(told.get("protocol_version", "1.0")).partition(".")[0] != _MAJOR:
        return odd(remote, "it speaks another MMCP")
    return told


def _backbones(remote: Remote, told: Mapping[str, Any]) -> list[RemoteBackbone]:
    out = []
    version = str(told.get("protocol_version") or "1.0")
    for raw in told["models"]:
        try:
            # What a newer server says beyond what we know is nothing we could use.
            known = {k: v for k, v in raw.items() if k in ModelSpec.model_fields}
            limits = ModelSpec.model_fields["limits"].annotation
            if isinstance(known.get("limits"), Mapping) and limits is not None:
                known["limits"] = {k: v for k, v in known["limits"].items() if k in limits.model_fields}
            out.append(RemoteBackbone(remote, ModelSpec.model_validate(known), version))
        except (ValidationError, AttributeError, TypeError) as e:
            _log.warning("a model of the remote %s cannot be read: %s", remote.name, type(e).__name__)
    return out


def _file(remote: Remote) -> Path:
    return paths.data_dir() / f"remote-{hashlib.sha256(remote.url.encode()).hexdigest()[:16]}.json"


def _remember(remote: Remote, told: Mapping[str, Any]) -> None:
    try:
        files.write_json(_file(remote), told)
    except OSError as e:
        _log.warning("the models of the remote %s cannot be kept: %s", remote.name, e)


def _remembered(remote: Remote) -> dict[str, Any] | None:
    try:
        told = json.loads(_file(remote).read_text("utf-8"))
        return told if isinstance(told, dict) and isinstance(told.get("models"), list) else None
    except (OSError, ValueError):
        return None


def _watch(missing: Sequence[Remote]) -> None:
    """End this worker once a remote that was away answers: the next one reads its models."""

    def wait() -> None:
        while True:
            threading.Event().wait(_AGAIN_S)
            if any(not isinstance(a, KineographError) for a in asyncio.run(_ask_all(missing))):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    if threading.current_thread() is threading.main_thread() and os.environ.get(TOKEN_ENV):
        threading.Thread(target=wait, name="remotes", daemon=True).start()
