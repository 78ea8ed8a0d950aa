# SPDX-License-Identifier: Apache-2.0
"""A retarget job in a worker: the request's map to a result on disk. No model is touched."""

from __future__ import annotations

import time
from typing import Any

from kineograph.wire import codec
from kineograph_daemon.jobs import blobs
from kineograph_daemon.jobs.record import RETARGET
from kineograph_daemon.mmcp import fingerprint
from kineograph_daemon.pipeline import Stopped
from kineograph_daemon.retarget import wire
from kineograph_daemon.workers import link, provenance
from kineograph_daemon.workers.hooks import Hooks


def run(job: link.TaskJob, payload: Any, hooks: Hooks, *, device: str, fsync: bool, started_s: float) -> link.TaskDone:
    """Carry the clip over and write the result. Raises what the retarget refuses with, or ``Stopped``."""
    ask = wire.parse(payload)
    if hooks.should_stop():
        raise Stopped
    clip, report = wire.run(ask)
    if hooks.should_stop():
        raise Stopped
    elapsed_s = time.monotonic() - started_s
    told = provenance.describe(
        job=job.job,
        model=RETARGET,
        identity={},
        request_sha256=fingerprint.of_payload(payload).hex(),
        seed=0,
        seed_drawn=False,
        device=device,
        elapsed_s=elapsed_s,
    )
    body = wire.body(clip, report, told)
    size_bytes = blobs.write(job.result_path, codec.pack_body(body), fsync=fsync)
    return link.TaskDone(job.job, len(clip), 1, size_bytes, elapsed_s, 0)
