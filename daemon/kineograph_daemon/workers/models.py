# SPDX-License-Identifier: Apache-2.0
"""The models of one worker: made once, loaded at first use, given back on demand."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from motionmcp.backbone import Backbone, ModelSpec

from kineograph.errors import ErrorCode, KineographError, error
from kineograph.wire.messages import ModelState
from kineograph_daemon.backbones.base import extras_of, identity_of, settle
from kineograph_daemon.backbones.registry import Found
from kineograph_daemon.workers import failures
from kineograph_daemon.workers.link import ModelStateChanged

_log = logging.getLogger(__name__)


class Models:
    """What ``found`` brought, and which of them hold their weights. Tells every change of state to ``send``."""

    def __init__(self, found: Mapping[str, Found], device: str, send: Callable[[ModelStateChanged], None]) -> None:
        self._found = dict(found)
        self._device = device
        self._send = send
        self._state = {
            model: ModelState.FAILED if f.error is not None else ModelState.UNLOADED for model, f in found.items()
        }

    def report(self) -> dict[str, Any]:
        """The ``models`` of ``worker.ready``."""
        return {model: self._report(model, found) for model, found in self._found.items()}

    def ready(self, model: str) -> tuple[Backbone, ModelSpec]:
        """The model, loaded. Raises what its set-up failed with; the next call tries again."""
        found = self._get(model)
        if found.backbone is None or found.spec is None:
            raise found.error or _unavailable(model)
        if self._state[model] is not ModelState.READY:
            self._load(model, found.backbone)
        return found.backbone, found.spec

    def spec(self, model: str) -> ModelSpec:
        """The model's spec; nothing is loaded for it. Raises why there is none."""
        found = self._get(model)
        if found.spec is None:
            raise found.error or _unavailable(model)
        return found.spec

    def identity(self, model: str) -> dict[str, str]:
        """Which model and which weights, for the provenance."""
        backbone = self._get(model).backbone
        return {} if backbone is None else identity_of(backbone)

    def load(self, model: str) -> None:
        """Have the model ready; whatever comes of it is told as its state, also when nothing changed."""
        before = self._state.get(model)
        try:
            self.ready(model)
        except KineographError as e:
            _log.warning("model %s: %s", model, e)
            if self._get(model).error is not None:
                self._change(model, ModelState.FAILED, e)
        else:
            if before is ModelState.READY:
                self._change(model, ModelState.READY)

    def unload(self, model: str) -> None:
        """Have the model give back what it holds; its state is told, also when it held nothing."""
        found = self._get(model)
        if found.backbone is None:
            self._change(model, ModelState.FAILED, found.error)
            return
        if self._state[model] is ModelState.READY:
            self._tear_down(model, found.backbone)
        self._change(model, ModelState.UNLOADED)

    def close(self) -> None:
        """Tear every loaded model down, quietly: the front may be gone."""
        for model, state in self._state.items():
            backbone = self._found[model].backbone
            if state is ModelState.READY and backbone is not None:
                self._tear_down(model, backbone)
                self._state[model] = ModelState.UNLOADED

    def _load(self, model: str, backbone: Backbone) -> None:
        self._change(model, ModelState.LOADING)
        started_s = time.monotonic()
        try:
            _call(backbone.setup)
        except BaseException as e:
            told = failures.describe(e, model, self._device)
            self._change(model, ModelState.FAILED, told)
            raise told from e
        _log.info("model loaded", extra={"data": {"model": model, "seconds": round(time.monotonic() - started_s, 3)}})
        self._change(model, ModelState.READY)

    def _tear_down(self, model: str, backbone: Backbone) -> None:
        try:
            _call(backbone.teardown)
        except BaseException:  # noqa: BLE001 - foreign code
            _log.exception("teardown failed", extra={"data": {"model": model}})

    def _change(self, model: str, state: ModelState, why: KineographError | None = None) -> None:
        self._state[model] = state
        self._send(ModelStateChanged(model, state, None if why is None else why.to_envelope()))

    def _get(self, model: str) -> Found:
        try:
            return self._found[model]
        except KeyError:
            raise _unavailable(model, sorted(self._found)) from None

    def _report(self, model: str, found: Found) -> dict[str, Any]:
        return {
            "spec": None if found.spec is None else found.spec.model_dump(mode="json"),
            "error": None if found.error is None else found.error.to_envelope(),
            "state": str(self._state[model]),
            "extras": {} if found.backbone is None else {**extras_of(found.backbone), "carried": found.carried},
        }


def _call(hook: Callable[[], Any]) -> None:
    settle(hook())  # some write their set-up as ``async def``


def _unavailable(model: str, known: list[str] | None = None) -> KineographError:
    return error(
        ErrorCode.UNKNOWN_MODEL,
        f"model {model!r} is not in this worker",
        {"available_models": known or [], "got": model, "allowed": known or []},
    )
