# SPDX-License-Identifier: Apache-2.0
"""What a request is known by: a SHA-256 over its wire form (``codec.pack_body`` of ``{"request": ...}``).

The front takes it to tell whether an id comes again with the same request, and hands it on: a result's provenance
names it, and no worker reads the same bytes again for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from kineograph.wire import codec
from kineograph.wire.codec import Buffer
from kineograph_daemon.mmcp.known import ReadBody

_REQUEST_KEY = bytes(codec.pack_body({"request": None})[0])[:-1]


def of_payload(payload: Any) -> bytes:
    """The fingerprint of a request, 32 bytes."""
    return _sha256(codec.pack_body({"request": payload}))


def of_body(body: ReadBody) -> bytes:
    """The same of a body that came; its request is not packed again where its bytes are at hand."""
    packed, (whole, *arrays) = body.request_packed, body.frames
    if packed is None:
        return of_payload(codec.decode_body(whole, arrays).get("request"))
    return _sha256([_REQUEST_KEY + packed, *arrays])


def _sha256(frames: Sequence[Buffer]) -> bytes:
    digest = hashlib.sha256()  # processors have it built in
    for frame in frames:
        digest.update(frame)
    return digest.digest()
