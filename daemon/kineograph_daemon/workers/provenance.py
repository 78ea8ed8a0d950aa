# SPDX-License-Identifier: Apache-2.0
"""Where a result comes from: enough to make it again, byte for byte, on the same device.

``request_sha256`` is over the MMCP request as it was sent (``mmcp.fingerprint``), without the seed that the worker
drew; ``seed`` is the one used. Send the request again with that seed for the same arrays. What differs between
two such runs (``elapsed_s``) stands in ``run``, outside what is compared.
"""

from __future__ import annotations

import hashlib
import platform
import secrets
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import motionmcp
import numpy as np
from motionmcp.schemas import GenerateRequest, Options

import kineograph
from kineograph_daemon.mmcp.answers import wire_safe

_SEED_BITS = 31  # every random generator in use takes it, and so does a signed 32-bit field of a panel


def with_seed(request: GenerateRequest, job: str = "") -> tuple[GenerateRequest, int, bool]:
    """The request with a seed in its options, that seed, and whether it was drawn here.

    It is drawn from the job's random id: a job that runs again after a crash makes the same motion, and a remote model
    is asked for the same once more.
    """
    options = request.options
    if options is not None and options.seed is not None:
        return request, options.seed, False
    drawn_bytes = hashlib.sha256(f"seed {job}".encode()).digest() if job else secrets.token_bytes(8)
    seed = int.from_bytes(drawn_bytes[:8], "little") % 2**_SEED_BITS
    drawn = Options.model_validate({"seed": seed}) if options is None else options.model_copy(update={"seed": seed})
    return request.model_copy(update={"options": drawn}), seed, True


def keep_to_what_was_asked(report: dict[str, Any]) -> None:
    """Take a seed that was drawn here out of the report: nobody asked for it. The provenance has it."""
    report["options"] = [entry for entry in report.get("options") or [] if entry.get("name") != "seed"]


def describe(
    *,
    job: str,
    model: str,
    identity: Mapping[str, str],
    request_sha256: str,
    seed: int,
    seed_drawn: bool,
    device: str,
    elapsed_s: float,
) -> dict[str, Any]:
    """The ``provenance`` of a result."""
    return {
        "model": model,
        "model_version": identity.get("version", ""),
        "weights_hash": identity.get("weights_hash", ""),
        "seed": wire_safe(seed),
        "seed_drawn": seed_drawn,
        "request_sha256": request_sha256,
        "device": device,
        **versions(),
        "run": {"job": job, "elapsed_s": round(elapsed_s, 6)},
    }


@cache
def versions() -> dict[str, str]:
    """What the numbers depend on besides the model."""
    return {
        "kineograph": kineograph.__version__,
        "motionmcp": motionmcp.__version__,
        "numpy": np.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": platform.platform(),
    }
