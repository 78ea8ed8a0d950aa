# SPDX-License-Identifier: Apache-2.0
"""One file onto one rig through the daemon: read, map, submit, fetch, write. Every end of it is an ``Ended``.

The job's id follows from the task's key: after a death of the watcher or of the daemon the same submit is the same job.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kineograph import __version__, formats
from kineograph.client import Client
from kineograph.client.retargeting import carried, request
from kineograph.errors import ErrorCode, KineographError, LinkError, SceneError
from kineograph.formats import Asset, whole
from kineograph.formats.failure import unreadable
from kineograph.formats.plain import plain
from kineograph.formats.rig_map import map_of
from kineograph.motion.clip import Clip
from kineograph.rigs import RigMap, profiles
from kineograph.rigs.profiles import Profile
from kineograph.wire.messages import Priority
from kineograph_daemon.watch.rules import WatchRule
from kineograph_daemon.watch.scan import stamp_of
from kineograph_daemon.watch.state import Ended, Row, TaskState, Work

_log = logging.getLogger(__name__)

FAILED, NEEDS_MAP = "_failed", "needs_map"
_FOREIGN = (".usd", ".usda", ".usdc", ".usdz")
_LOAD = "import sys; from kineograph import formats; formats.load(sys.argv[1])"
_PROBE_S = 300.0
_AWAY = frozenset(
    {
        ErrorCode.QUEUE_FULL,
        ErrorCode.RATE_LIMITED,
        ErrorCode.CONCURRENCY_LIMIT,
        ErrorCode.MODEL_UNAVAILABLE,
        ErrorCode.RESOURCE_EXHAUSTED,
    }
)
_LOST = frozenset(
    {
        ErrorCode.REQUEST_NOT_FOUND,
        ErrorCode.RESULT_EXPIRED,
        ErrorCode.REQUEST_CANCELLED,
        ErrorCode.IDEMPOTENCY_CONFLICT,
    }
)
"""Ends of a job that another job, under another id, need not have."""


@dataclass(frozen=True)
class Target:
    """A rig that motion goes onto, read once."""

    path: Path
    asset: Asset
    profile: Profile
    digest: str


def open_target(path: Path, digest: str) -> Target:
    """Read a target rig. Raises what the file is refused with, ``map_incomplete`` for one without its limbs."""
    asset = formats.load(path)
    rig = map_of(asset)
    missing = [str(role) for role in rig.missing()]
    if missing:
        said = f"the target rig '{path.name}' lacks: {', '.join(missing)}"
        raise SceneError(ErrorCode.MAP_INCOMPLETE, said, {"missing": missing, "file": str(path)})
    return Target(path, asset, _profile("target", rig, asset), digest)


def failure_of(folder: Path, row: Row) -> Path:
    """Where the reason of a failure stands."""
    return folder / f"{row.source}.{Path(row.target).stem}.error.json"


def report_of(folder: Path, out: str) -> Path:
    """Where the report of a result lies."""
    return folder / f"{out}.report.json"


def discard(folder: Path, row: Row) -> None:
    """Remove a row's result and report. What another row, or somebody else, has put there stays."""
    path = report_of(folder, row.out)
    try:
        told = json.loads(path.read_text("utf-8"))
        if isinstance(told, dict) and told.get("job") in {_job_of(row.key, n) for n in range(row.tries + 1)}:
            (folder / row.out).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    except (OSError, ValueError):  # no report, or none of ours; or it is held open: a result too many is no harm
        return


def _job_of(key: str, tries: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"kineograph-watch:{key}:{tries}"))


class Carrier:
    """Does the work of ``Work`` instructions, in several threads. ``made_maps``: the maps it wrote, as written."""

    def __init__(self, client: Client, source: Path, out: Path, targets: Mapping[str, Target]) -> None:
        self._client = client
        self._source = source
        self._out = out
        self._targets = targets
        self.made_maps: set[tuple[str, int, int]] = set()

    def run(self, work: Work, rule: WatchRule) -> Ended:
        """Never raises what a file or the daemon does."""
        began = time.monotonic()
        path = self._source / work.row.source
        target = self._targets[work.plan.target]
        try:
            frames = self._carry(path, target, work, rule)
            return Ended(work.row.key, TaskState.DONE, frames=frames, seconds=time.monotonic() - began)
        except _Changed:
            return Ended(work.row.key, None, again="changed")
        except KineographError as e:
            return self._failure(e, path, target, work)
        except MemoryError:
            told = SceneError(ErrorCode.FILE_UNREADABLE, f"there is not enough memory for '{path.name}'",
                              {"file": str(path), "reason": "there is not enough memory for it"})  # fmt: skip
            return self._failure(told, path, target, work)
        except Exception as e:  # noqa: BLE001 - whatever a file does, the next one is served
            _log.exception("a file failed")
            told = SceneError(
                ErrorCode.FILE_UNREADABLE,
                f"'{path.name}' failed: {type(e).__name__}: {e}"[:300],
                {"file": str(path), "reason": f"{type(e).__name__}: {e}"[:300]},
            )
            return self._failure(told, path, target, work)

    def _carry(self, path: Path, target: Target, work: Work, rule: WatchRule) -> int:
        if path.suffix.lower() in _FOREIGN:
            probe(path)
        asset = formats.load(path)
        if stamp_of(path) not in (work.stamp, None):
            raise _Changed
        clip = formats.choose(asset, rule.take)
        told = profiles.read(rule.profile) if rule.profile else None
        rig = self._map(asset, told)
        if rig.missing():
            raise SceneError(
                ErrorCode.MAP_INCOMPLETE,
                f"'{path.name}' has a rig that is not understood: {', '.join(map(str, rig.missing()))} not found",
                {
                    "missing": [str(role) for role in rig.missing()],
                    "file": str(path),
                    "map": self._needs_map(asset, rig),
                },
            )
        # Nothing of the file's name goes in: the same content is the same job, whatever it is called.
        body = request(
            replace(clip, name=""),
            target.asset.skeleton,
            source_profile=_profile("source", rig, asset),
            target_profile=target.profile,
            options=rule.options,
        )
        job = _job_of(work.row.key, work.row.tries)
        result = self._client.retarget(
            body, job=job, priority=Priority.BATCH, label=work.row.source[-200:], character=target.path.stem
        )
        made = carried(result, target.asset.skeleton, clip.name or path.stem)
        report = self._report(work, target, asset, clip, rule, result.report, job)
        self._write(self._out / work.plan.out, made, result.body.get("travel"), target)
        whole.write_text(report_of(self._out, work.plan.out), report)
        for folder in (FAILED, NEEDS_MAP):
            failure_of(self._out / folder, work.row).unlink(missing_ok=True)
        return len(made)

    def _map(self, asset: Asset, told: Profile | None) -> RigMap:
        if told is not None or asset.profile is not None:
            return map_of(asset, told)
        skeleton = asset.skeleton
        folders = [self._out / NEEDS_MAP, self._source, asset.source.path.parent]
        return profiles.read_rig(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m, folders)

    def _write(self, out: Path, clip: Clip, travel: Any, target: Target) -> None:
        if travel is not None:
            from kineograph.motion.carry import carried as under

            clip = under(clip, travel["path_m"], travel["yaw_rad"])
            formats.save(out, clip.skeleton, [clip])
            return
        formats.save(out, target.asset.skeleton, [clip], character=target.path)

    def _report(
        self, work: Work, target: Target, asset: Asset, clip: Clip, rule: WatchRule, report: Mapping[str, Any], job: str
    ) -> str:
        told = {
            "kineograph": __version__, "source": str(asset.source.path), "sha256": work.row.digest, "take": clip.name,
            "target": str(target.path), "out": str(self._out / work.plan.out), "job": job,
            "options": dict(rule.options), "read": list(asset.source.notes), **report,
        }  # fmt: skip
        return json.dumps(plain(told), indent=1, ensure_ascii=False) + "\n"

    def _needs_map(self, asset: Asset, rig: RigMap) -> str:
        """A map of the rig, ready to be edited, in the results' folder; the same rig again adds nothing."""
        skeleton = asset.skeleton
        parents = skeleton.parents.tolist()
        missing = [str(role) for role in rig.missing()]
        notes = f'Fill in under [roles], as role = "joint": {", ".join(missing)}. Then save: the watcher goes on.'
        made = profiles.from_map(asset.source.path.stem, rig, parents, notes)
        path = self._out / NEEDS_MAP / f"{profiles.signature(skeleton.names, parents)[:16]}.toml"
        if not path.exists():
            joints = "".join(f"#   {name}\n" for name in skeleton.names)
            whole.write_text(path, f"{profiles.dumps(made)}\n# All joints of this rig:\n{joints}")
            info = path.stat()
            self.made_maps.add((str(path), info.st_mtime_ns, info.st_size))
        return str(path)

    def _failure(self, e: KineographError, path: Path, target: Target, work: Work) -> Ended:
        error = plain(e.to_envelope())
        key = work.row.key
        if stamp_of(path) is None:
            return Ended(key, None, error, again="gone")
        if e.code is ErrorCode.FILE_INCOMPLETE:
            return Ended(key, None, error, again="incomplete")
        if isinstance(e, LinkError) or e.code in _AWAY:
            return Ended(key, None, error, again="away")
        if e.code in _LOST or (e.code is ErrorCode.INTERNAL_ERROR and e.details.get("job_state")):
            return Ended(key, None, error, again="lost")
        if e.code is ErrorCode.MAP_INCOMPLETE:
            return Ended(key, TaskState.NEEDS_MAP, error)
        if e.details.get("unwritable"):
            return Ended(key, None, error, again="incomplete")  # a full disk is given the same patience
        return Ended(key, TaskState.FAILED, error)


def probe(path: Path, code: str = _LOAD) -> None:
    """Read a file in another process first: what crashes a foreign library must not end the watcher, again and again.

    Raises ``file_unreadable`` when that process was killed by a signal or hung; anything else is for the reader to say.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, timeout=_PROBE_S, check=False
        )
        crashed = ended.returncode < 0 or ended.returncode > 0x7FFFFFFF  # a signal; an exception on Windows
    except subprocess.TimeoutExpired:
        crashed = True
    if crashed:
        raise unreadable(path, "crashes or hangs the library that reads it")


class _Changed(Exception):
    """The file is not what it was when its fingerprint was taken."""


def _profile(name: str, rig: RigMap, asset: Asset) -> Profile:
    """What was understood of a rig, said in full, so that the daemon reads it the same way."""
    return replace(profiles.from_map(name, rig, asset.skeleton.parents.tolist()), notes="")
