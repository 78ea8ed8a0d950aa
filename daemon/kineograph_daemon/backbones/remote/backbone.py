# SPDX-License-Identifier: Apache-2.0
"""One model of a remote MMCP server: a job there is followed to its end, tried again by code, cancelled with ours."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from random import Random
from typing import Any

import httpx
from motionmcp.backbone import ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph.client.retry import MAX_TRIES, retry_delay_s
from kineograph.errors import ErrorCode, KineographError, error
from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.backbones.remote import exchange, incoming, outgoing
from kineograph_daemon.backbones.remote.address import Remote
from kineograph_daemon.backbones.remote.exchange import Reply, failure_of, odd, unreachable

_POLL_S = (0.25, 5.0)
_CANCEL_S = 2.0
_LOST_POLLS = 20
"""How many questions about a job may go unanswered in a row before it is given up."""


class RemoteBackbone(KineographBackbone):
    """``spec`` is what the remote advertises; here its model is called ``REMOTE/MODEL``."""

    text_support = "full"

    def __init__(self, remote: Remote, spec: ModelSpec, version: str) -> None:
        self._remote = remote
        self._there = spec
        self._version = version
        self.model_id = f"{remote.name}/{spec.id}"
        self.label = f"{spec.id} at {remote.host}"
        self.about = (
            f"Runs on {remote.host}: the request's skeleton, prompts and constraints are sent there, no names of "
            "files, scenes, objects or people."
        )

    def capabilities(self) -> ModelSpec:
        """The remote's, under our name. Retargeting is ours unless the remote is told to keep rigs."""
        keeps = self._remote.keeps_rig and self._there.supports_retargeting
        return self._there.model_copy(
            update={"id": self.model_id, "supports_async": False, "supports_retargeting": keeps}
        )

    def generate(self, request: GenerateRequest) -> Any:
        """As ``generate_with_hooks``, without progress."""
        return self._generate(request, None)

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> Any:
        """One job there, awaited: the caller cancels the await, and with it the job."""
        return self._generate(request, hooks)

    async def generate_batch(self, requests: list[GenerateRequest]) -> Any:
        """One batch body where the remote takes batches, else one request after the other.

        A batch whose answer is lost is sent again under its key; an item that failed for a reason that passes goes
        again alone.
        """
        if not self._there.supports_batch or len(requests) > self._there.limits.max_batch_size:
            return [await self._caught(request) for request in requests]
        body = outgoing.batch(requests, self._there, self._there.id, self._version)
        async with exchange.new_client() as client:
            reply = await self._tried(client, body, str(uuid.uuid4()), None)
        results = reply.json.get("results") if isinstance(reply.json, dict) else None
        if not isinstance(results, list) or len(results) != len(requests):
            raise odd(self._remote, "its answer to a batch has not one result a request")
        made = [self._item(result, request) for result, request in zip(results, requests, strict=True)]
        return [await self._once_more(first, request) for first, request in zip(made, requests, strict=True)]

    async def _once_more(
        self, first: MotionResult | KineographError, request: GenerateRequest
    ) -> MotionResult | KineographError:
        delay_s = retry_delay_s(first, 1, Random()) if isinstance(first, KineographError) else None
        if delay_s is None:
            return first
        await asyncio.sleep(delay_s)
        return await self._caught(request)

    def _item(self, result: Any, request: GenerateRequest) -> MotionResult | KineographError:
        try:
            if isinstance(result, dict) and isinstance(result.get("gltf"), dict):
                return incoming.motion(result["gltf"], request, self._there, self._remote)
            return failure_of(Reply(200, {}, outgoing.as_json(result), self._remote))
        except KineographError as e:
            return e

    async def _caught(self, request: GenerateRequest) -> MotionResult | KineographError:
        try:
            return await self._generate(request, None)
        except KineographError as e:
            return e

    async def _generate(self, request: GenerateRequest, hooks: Hooks | None) -> MotionResult:
        body = outgoing.body(request, self._there, self._there.id, self._version)
        job = str(getattr(hooks, "job", "") or uuid.uuid4())
        async with exchange.new_client() as client:
            reply = await self._tried(client, body, job, hooks)
        try:
            found = incoming.document(reply.body, reply.headers.get("content-type", ""))
        except (ValueError, RecursionError, UnicodeDecodeError) as e:
            raise odd(self._remote, f"its answer is no motion: {str(e)[:200]}") from None
        return incoming.motion(found, request, self._there, self._remote)

    # ---- one submit, and again -------------------------------------------------------------------------------------

    async def _tried(self, client: httpx.AsyncClient, body: bytes, job: str, hooks: Hooks | None) -> Reply:
        """The successful answer; tried again by code, under a new key once the server has answered with a failure."""
        rng = Random(job)
        answered = 0
        told = hashlib.sha256(body).hexdigest()  # the same key with another body would be a conflict there
        for attempt in range(1, MAX_TRIES + 1):
            key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._remote.origin} {job} {told} {answered}"))
            try:
                return await self._once(client, body, key, hooks)
            except KineographError as e:
                delay_s = retry_delay_s(e, attempt, rng)
                if delay_s is None:
                    raise
                answered += "reason" not in e.details or e.code is not ErrorCode.MODEL_UNAVAILABLE
                _tell(hooks, 0.0, f"{e.code}: again in {delay_s:.0f} s ({attempt + 1} of {MAX_TRIES})")
                await asyncio.sleep(delay_s)
        raise odd(self._remote, "it was tried too often")

    async def _once(self, client: httpx.AsyncClient, body: bytes, key: str, hooks: Hooks | None) -> Reply:
        headers = {"prefer": "respond-async", "idempotency-key": key}
        _tell(hooks, 0.0, f"sent to {self._remote.host}")
        reply = await exchange.ask(client, self._remote, "POST", "/generate", body, headers)
        if reply.status == 202:
            reply = await self._followed(client, reply, hooks)
        if reply.status != 200:
            raise failure_of(reply)
        return reply

    async def _followed(self, client: httpx.AsyncClient, reply: Reply, hooks: Hooks | None) -> Reply:
        """The last answer about a job there; cancelling this cancels it."""
        location = reply.headers.get("location", "")
        if not location:
            raise odd(self._remote, "it accepted the job without telling where to ask for it")
        path = "/" + location.split("/", 3)[-1] if "://" in location else location
        pause_s, lost = _POLL_S[0], 0
        try:
            while reply.status == 202:
                told = reply.json if reply.body else {}
                _tell_told(hooks, told if isinstance(told, dict) else {})
                await asyncio.sleep(min(max(pause_s, reply.wait_s or 0.0), _POLL_S[1]))
                pause_s = min(pause_s * 1.5, _POLL_S[1])
                try:
                    reply, lost = await exchange.ask(client, self._remote, "GET", path, is_quick=True), 0
                except KineographError as e:
                    lost += 1
                    if e.code is not ErrorCode.MODEL_UNAVAILABLE or lost >= _LOST_POLLS:
                        raise
        except BaseException as e:
            if not isinstance(e, KineographError):  # cancelled, or asked to stop by the job's hooks
                await self._cancel(client, path)
            raise
        if reply.status == 404:  # it restarted, or gave up waiting for us: the same key makes at most one job of it
            raise unreachable(self._remote, "it does not know the job any more")
        if reply.status == 410:
            raise error(
                ErrorCode.SERVICE_UNAVAILABLE,
                f"the job was cancelled at {self._remote.host}",
                {"remote": self._remote.name},
            )
        return reply

    async def _cancel(self, client: httpx.AsyncClient, path: str) -> None:
        """Ask for the end of a job there. Being cancelled meanwhile (by the caller, once more) does not cut it off."""
        asked = asyncio.ensure_future(exchange.ask(client, self._remote, "DELETE", path, is_quick=True))
        ends_s = asyncio.get_running_loop().time() + _CANCEL_S
        while not asked.done() and (left_s := ends_s - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((asked,), timeout=left_s)
        asked.cancel()
        with contextlib.suppress(KineographError, asyncio.CancelledError):
            await asked


def _tell_told(hooks: Hooks | None, told: dict[str, Any]) -> None:
    fraction, stage = told.get("progress"), told.get("stage") or told.get("status")
    number = float(fraction) if isinstance(fraction, (int, float)) else 0.0
    _tell(hooks, number, stage if isinstance(stage, str) else "")


def _tell(hooks: Hooks | None, fraction: float, stage: str) -> None:
    if hooks is not None:
        hooks.progress(fraction, 0, 0, stage[:80])
