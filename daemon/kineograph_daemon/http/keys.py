# SPDX-License-Identifier: Apache-2.0
"""From ``Idempotency-Key`` to job ids: the same key is the same job, whoever asks and whenever, on both doors."""

from __future__ import annotations

import re
import uuid

from kineograph.errors import ErrorCode, RequestError

_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_COUNT = re.compile(r"[1-9]\d{0,4}")
_SPACE = uuid.UUID("5c3ee9a4-6d57-5c11-9f6e-3b1d3a2d7c44")


def job_id(key: str | None, caller: str) -> str:
    """The job that a key means: the key itself when it is a UUID, else one made of the key and the caller's name.

    Without a key every request is a new job. Raises ``invalid_parameters`` for a key that is none.
    """
    if key is None:
        return str(uuid.uuid4())
    if not _KEY.fullmatch(key):
        details = {"where": {"path": ["Idempotency-Key"]}, "got": key[:100], "allowed": "1 to 255 visible characters"}
        raise RequestError(ErrorCode.INVALID_PARAMETERS, "the idempotency key cannot be used", details)
    if _UUID.fullmatch(key):
        return key.lower()
    return str(uuid.uuid5(_SPACE, f"{caller}\n{key}"))


def item_ids(base: str, count: int) -> list[str]:
    """The jobs of a batch with this id, in order."""
    return [str(uuid.uuid5(uuid.UUID(base), str(index))) for index in range(count)]


def batch_id(base: str, count: int) -> str:
    """What a batch is asked for by: it tells how many jobs it has, so that the door need not remember."""
    return f"{base}.{count}"


def parse_job(text: str) -> tuple[str, int] | None:
    """A job's or batch's id from a path, with the number of a batch's items (0: a single job); None when it is none."""
    base, dot, count = text.partition(".")
    if not _UUID.fullmatch(base) or (dot and not _COUNT.fullmatch(count)):
        return None
    return base.lower(), int(count or 0)
