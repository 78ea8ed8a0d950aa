# SPDX-License-Identifier: Apache-2.0
"""Which backbones there are: installed entry points, and ``module:name`` strings from the settings.

A name may be a ``Backbone`` class (made without arguments), an instance, or a function that returns one backbone, a
list of them, or a map from model id to backbone. Whatever fails in foreign code becomes an error *of that model*.
"""

from __future__ import annotations

import importlib
import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from motionmcp.backbone import Backbone, ModelSpec
from motionmcp.errors import ProtocolError

from kineograph.errors import ErrorCode, InternalError, KineographError, error
from kineograph_daemon.pipeline.bridge import takes_any_rig
from kineograph_daemon.pipeline.widen import widen

GROUP = "kineograph.backbones"
_log = logging.getLogger(__name__)

Loader = Callable[[], "list[Found]"]


@dataclass(frozen=True)
class Found:
    """One model that a loader brought: a working backbone with its spec, or the reason why not.

    ``carried``: the model moves its own skeleton only, and the daemon carries its motion to other rigs.
    """

    model: str
    source: str
    backbone: Backbone | None = None
    spec: ModelSpec | None = None
    error: KineographError | None = None
    carried: bool = False


def discover(extra: Sequence[str] = (), *, entry_points: bool = True) -> dict[str, Loader]:
    """Loaders by name: the entry point's name, or the ``module:name`` string. Nothing is imported yet.

    A name in ``extra`` that is no ``module:name`` names an installed entry point. Loaders never raise.
    """
    installed = {e.name: e.value for e in metadata.entry_points(group=GROUP)}
    wanted = dict(installed) if entry_points else {}
    for spec in extra:
        wanted[spec] = installed.get(spec, spec)
    return {name: _loader(name, value) for name, value in wanted.items()}


def load_all(loaders: Mapping[str, Loader]) -> dict[str, Found]:
    """Every model of every loader by model id; of two with the same id the later one, named later, wins."""
    out: dict[str, Found] = {}
    for loader in loaders.values():
        for found in loader():
            if found.model in out:
                _log.warning("model %r of %s hides the one of %s", found.model, found.source, out[found.model].source)
            out[found.model] = found
    return out


def _loader(name: str, value: str) -> Loader:
    return lambda: _load(name, value)


def _load(name: str, value: str) -> list[Found]:
    try:
        made = _make(_import(value))
    except BaseException as e:  # noqa: BLE001 - foreign code: even sys.exit() at import must not end the worker
        return [Found(name, value, error=_failed(f"the backbone {name!r} cannot be loaded", e))]
    return [_found(model or name, value, backbone) for model, backbone in made]


def _import(value: str) -> Any:
    module_name, _, attribute = value.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"{value!r} is neither an installed backbone nor module:name")
    target: Any = importlib.import_module(module_name)
    for part in attribute.split("."):
        target = getattr(target, part)
    return target


def _make(target: Any) -> list[tuple[str | None, Any]]:
    made = target if isinstance(target, Backbone) else target()
    if isinstance(made, Mapping):
        return [(str(model), backbone) for model, backbone in made.items()]
    if isinstance(made, Iterable):
        return [(None, backbone) for backbone in made]
    return [(None, made)]


def _found(name: str, source: str, backbone: Any) -> Found:
    try:
        if not isinstance(backbone, Backbone):
            raise TypeError(f"{type(backbone).__name__} is no motionmcp.Backbone")
        spec = backbone.capabilities()
        if not isinstance(spec, ModelSpec):
            raise TypeError(f"capabilities() returned {type(spec).__name__}, not a ModelSpec")
    except BaseException as e:  # noqa: BLE001 - foreign code
        return Found(name, source, error=_failed(f"the model {name!r} does not tell its capabilities", e))
    wide = widen(spec, backbone)
    # A model with a stand-in turns no rig away, so the door need not ask.
    alone = getattr(backbone, "stand_in", None) is None
    carried = alone and wide.supports_retargeting and not takes_any_rig(spec, backbone)
    return Found(spec.id, source, backbone, wide, carried=carried)


def _failed(message: str, e: BaseException) -> KineographError:
    if isinstance(e, KeyboardInterrupt):
        raise e
    _log.error("%s", message, exc_info=e)
    reason = f"{type(e).__name__}: {e}"[:500]
    if isinstance(e, ProtocolError):  # the model's own word: still loading, for one
        return error(e.code, e.message, e.details)
    last = traceback.extract_tb(e.__traceback__)[-1:]
    where = f"{last[0].filename}:{last[0].lineno}" if last else ""
    return InternalError(
        ErrorCode.INTERNAL_ERROR, f"{message}: {reason}", {"reason": reason, "where": {"source": where}}
    )
