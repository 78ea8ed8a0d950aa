# SPDX-License-Identifier: Apache-2.0
"""Foreign exceptions mapped onto our codes, in one place: what a backbone raised becomes what the artist is told.

Codes pass through, memory becomes ``resource_exhausted`` with need and free, everything else is ``internal_error``
with a short reference; the traceback goes to the log under that reference and nowhere else.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
from typing import Any

import numpy as np
import psutil
from motionmcp.errors import ProtocolError

from kineograph.errors import RETRYABLE_CODES, ErrorCode, InternalError, KineographError, UnavailableError, error
from kineograph_daemon.mmcp.answers import wire_safe

_log = logging.getLogger(__name__)

RETRY_MEMORY_AFTER_S = 5.0
_MOST_NUMBERS = 100
_UNITS = {"bytes": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50, "EiB": 2**60}
# torch: "Tried to allocate 2.00 GiB", "you tried to allocate 80000 bytes"; numpy: "Unable to allocate 7.28 TiB for"
_NEED = re.compile(r"allocate ([\d.]+) ?([KMGTPE]iB|bytes|B)\b")
_FREE = re.compile(r"([\d.]+) ?([KMGTPE]iB|bytes|B) (?:is )?free")
# A bare "out of memory" in a backbone's own words is no allocator's: what the backbone did wrong is its own fault.
_TORCH_MEMORY = re.compile(
    r"(CUDA|HIP) error: out of memory|out of memory\W+(you )?tried to allocate|DefaultCPUAllocator"
    r"|CUBLAS_STATUS_ALLOC_FAILED",
    re.I,
)


def describe(e: BaseException, model: str, device: str = "cpu") -> KineographError:
    """The error to answer with for ``e``, raised while ``model`` ran. Logs what deserves a look."""
    source = e.__cause__ if isinstance(e, KineographError) and e.__cause__ is not None else e
    if is_memory(source):
        return _memory(source, model, device)
    if isinstance(e, KineographError):
        return _own(e, model)
    if isinstance(e, ProtocolError):
        return _protocol(e, model)
    return _internal(e, model, f"{type(e).__name__}: {e}")


def is_memory(e: BaseException) -> bool:
    """Whether ``e`` says that memory ran out, on the host or on a device."""
    if isinstance(e, MemoryError) or type(e).__name__ == "OutOfMemoryError":
        return True
    return isinstance(e, RuntimeError) and _TORCH_MEMORY.search(str(e)) is not None


def _memory(e: BaseException, model: str, device: str) -> KineographError:
    text = str(e)
    on_device = "CUDA" in text or "HIP" in text or type(e).__module__.startswith("torch.cuda")
    need_bytes, free_bytes = _bytes(_NEED, text), _bytes(_FREE, text)
    if free_bytes is None:
        free_bytes = _free_bytes(on_device)
    _release()
    _log.warning("out of memory", extra={"data": {"model": model, "reason": text[:500]}})
    where = device if on_device else "memory"
    need = "more memory than there is" if need_bytes is None else f"{need_bytes / 1e9:.1f} GB at once"
    free = "" if free_bytes is None else f", {free_bytes / 1e9:.1f} GB are free"
    return UnavailableError(
        ErrorCode.RESOURCE_EXHAUSTED,
        f"The model {model!r} needs {need}{free}.",
        {"resource": where, "need_bytes": need_bytes, "free_bytes": free_bytes, "model": model, "device": device},
        retry_after_s=RETRY_MEMORY_AFTER_S,
    )


def _bytes(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(float(found[1]) * _UNITS[found[2]]) if found else None


def _free_bytes(on_device: bool) -> int | None:
    if not on_device:
        return int(psutil.virtual_memory().available)
    torch: Any = sys.modules.get("torch")
    try:
        return int(torch.cuda.mem_get_info()[0]) if torch is not None else None
    except Exception:  # noqa: BLE001 - a device in trouble must not hide that memory ran out
        return None


def _release() -> None:
    torch: Any = sys.modules.get("torch")
    try:
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    except Exception:  # noqa: BLE001
        _log.warning("the device's cache could not be emptied", exc_info=True)


def _own(e: KineographError, model: str) -> KineographError:
    if e.code is ErrorCode.INTERNAL_ERROR and "ref" not in e.details:
        return _internal(e, model, str(e.details.get("reason") or e.message), e.details)
    return error(e.code, e.message, _plain(e.details), retry_after_s=e.retry_after_s, request_id=e.request_id)


def _protocol(e: ProtocolError, model: str) -> KineographError:
    try:
        code = ErrorCode(e.code)
    except ValueError:
        return _internal(e, model, f"the unknown code {e.code!r}: {e.message}")
    details = _plain(e.details)
    details = details if isinstance(details, dict) else {"got": details}
    if code is ErrorCode.INTERNAL_ERROR:
        return _internal(e, model, str(e.message), details)
    wait = details.get("retry_after_s")
    return error(
        code,
        str(e.message),
        details,
        retry_after_s=float(wait) if code in RETRYABLE_CODES and isinstance(wait, (int, float)) else None,
    )


def _plain(details: Any) -> Any:
    """Details as an envelope takes them. An envelope is kept with its job and has no frames for arrays."""
    return wire_safe(_listed(details))


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist() if 0 < value.size <= _MOST_NUMBERS else f"{value.dtype} numbers of shape {value.shape}"
    return value


def _internal(e: BaseException, model: str, reason: str, details: dict[str, Any] | None = None) -> InternalError:
    ref = secrets.token_hex(3)
    _log.error("the model failed, ref %s", ref, exc_info=e, extra={"data": {"model": model, "ref": ref}})
    kept = _plain(details or {})
    return InternalError(
        ErrorCode.INTERNAL_ERROR,
        f"The model {model!r} failed: {reason[:300]} (ref {ref})",
        {**kept, "ref": ref, "model": model, "reason": reason[:500]},
    )
