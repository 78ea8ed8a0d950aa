# SPDX-License-Identifier: Apache-2.0
"""Which models there are: what the workers reported, or what they reported last time until they do.

The last report is kept on disk, so that capabilities answer at once after a start; such models are ``loading``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineograph import __version__, files
from kineograph.errors import from_envelope
from kineograph.wire import codec
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import ModelReply, ModelState

if TYPE_CHECKING:
    from kineograph_daemon.mmcp.validate import ModelEntry

_log = logging.getLogger(__name__)

FALLBACK_MODEL = "kineograph-interpolate"
_BEST = (ModelState.READY, ModelState.LOADING, ModelState.UNLOADED, ModelState.FAILED)


class ModelTable:
    """All models by id, and where each stands on each worker."""

    def __init__(self, cache: Path, backbones: Sequence[str]) -> None:
        self._cache = cache
        self._key = hashlib.sha256(json.dumps([__version__, *backbones]).encode()).hexdigest()
        self._reports: dict[str, dict[str, Any]] = {}
        self._devices: dict[str, str] = {}
        self._known: dict[str, Any] = self._load()
        self._entries: dict[str, ModelEntry] | None = None
        self._capabilities: list[Buffer] | None = None

    @property
    def ids(self) -> list[str]:
        """The models' ids, in the order they were reported."""
        return list(self._known)

    @property
    def default(self) -> str | None:
        """The model for a client that has no wish: the first that is more than the fallback."""
        usable = [m for m, told in self._known.items() if told.get("spec") is not None]
        return next((m for m in usable if m != FALLBACK_MODEL), usable[0] if usable else None)

    @property
    def entries(self) -> Mapping[str, ModelEntry]:
        """What validation needs of each model."""
        if self._entries is None:
            self._entries = {model: _entry(model, told) for model, told in self._known.items()}
        return self._entries

    def reported(self, worker: str, device: str, models: Mapping[str, Any]) -> None:
        """A worker told its models: ``{id: {spec, error, state, extras}}``."""
        first = not self._reports
        self._reports[worker] = {str(model): dict(told) for model, told in models.items()}
        self._devices[worker] = device
        known = {} if first else self._known
        self._known = {**known, **{m: t for m, t in self._reports[worker].items() if _is_better(t, known.get(m))}}
        self._entries = self._capabilities = None
        self._save()

    def changed(self, worker: str, model: str, state: ModelState, error: Mapping[str, Any] | None) -> None:
        """A model's state changed on a worker."""
        told = self._reports.get(worker, {}).get(model)
        if told is not None:
            told["state"], told["state_error"] = str(state), error
            self._capabilities = None

    def lost(self, worker: str) -> None:
        """A worker is gone; its models stay known, as ``loading`` until one hosts them again."""
        self._reports.pop(worker, None)
        self._devices.pop(worker, None)
        self._capabilities = None

    def left(self, worker: str) -> list[str]:
        """A worker is gone for good; the models that nobody else hosts, which are known no more."""
        hosted = list(self._reports.get(worker, {}))
        self.lost(worker)
        away = [m for m in hosted if not self.workers_of(m)]
        if away:
            self._known = {m: told for m, told in self._known.items() if m not in away}
            self._entries = None
            self._save()
        return away

    def usable_on(self, worker: str) -> frozenset[str]:
        """The models a worker can run."""
        return frozenset(m for m, told in self._reports.get(worker, {}).items() if told.get("spec") is not None)

    def hosted(self) -> frozenset[str]:
        """The models that any living worker can run."""
        return frozenset().union(*(self.usable_on(w) for w in self._reports))

    def workers_of(self, model: str) -> list[str]:
        """The living workers that host a model."""
        return [w for w, models in self._reports.items() if model in models]

    def state(self, model: str) -> ModelReply:
        """Where a model stands: the best of all workers. Raises KeyError for an unknown one."""
        known = self._known[model]
        best = ModelReply(model, ModelState.LOADING)
        found = [(worker, models[model]) for worker, models in self._reports.items() if model in models]
        if found:
            worker, told = min(found, key=lambda w: _BEST.index(ModelState(w[1]["state"])))
            error = told.get("state_error") or told.get("error")
            best = ModelReply(model, ModelState(told["state"]), self._devices[worker], error)
        elif known.get("spec") is None:
            best = ModelReply(model, ModelState.FAILED, "", known.get("error"))
        return best

    def capabilities(self) -> list[Buffer]:
        """The packed body of a ``capabilities`` reply, made once for each change."""
        if self._capabilities is None:
            self._capabilities = codec.pack_body(self._capabilities_body())
        return self._capabilities

    def _capabilities_body(self) -> dict[str, Any]:
        from kineograph_daemon.mmcp.capabilities import document

        extras = {model: told.get("extras") or {} for model, told in self._known.items()}
        models = {}
        for model in self._known:
            reply = self.state(model)
            models[model] = {
                **extras[model],
                "state": str(reply.state),
                "device": reply.device,
                "error": reply.error,
            }
        return {"mmcp": document(self.entries), "models": models, "default_model": self.default}

    def _load(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._cache.read_text("utf-8"))
            return dict(stored["models"]) if stored["key"] == self._key else {}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as e:
            _log.warning("the models of the last time cannot be read: %s", e)
            return {}

    def _save(self) -> None:
        try:
            files.write_text(self._cache, json.dumps({"key": self._key, "models": self._known}))
        except (OSError, TypeError, ValueError) as e:
            _log.warning("the models cannot be kept for the next start: %s", e)


def _is_better(told: Mapping[str, Any], known: Mapping[str, Any] | None) -> bool:
    return known is None or told.get("spec") is not None or known.get("spec") is None


def _entry(model: str, told: Mapping[str, Any]) -> ModelEntry:
    # Imported here: the schemas cost a quarter of a second that a start does not have.
    from motionmcp.backbone import ModelSpec

    from kineograph_daemon.mmcp.validate import ModelEntry

    error = told.get("error")
    if told.get("spec") is None:
        return ModelEntry(None, from_envelope(error) if isinstance(error, Mapping) else None)
    carried = bool((told.get("extras") or {}).get("carried", False))
    return ModelEntry(ModelSpec.model_validate(told["spec"]), None, carried)
