# SPDX-License-Identifier: Apache-2.0
"""One file onto one rig: read, choose the take, retarget, write; and the report beside it, and the picture."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from kineograph import __version__, formats
from kineograph.errors import ErrorCode, RequestError
from kineograph.formats import Asset, whole
from kineograph.formats.plain import plain
from kineograph.formats.rig_map import map_of, meant_for
from kineograph.motion.clip import Clip
from kineograph.rigs import RigMap, profiles
from kineograph.rigs.profiles import Profile, use
from kineograph_daemon.retarget import RetargetReport, RootPolicy, known, retarget, retarget_with_report
from kineograph_daemon.retarget.root import Travel, carried
from kineograph_daemon.retarget.wire import options_of

_GLTF = (".glb", ".gltf", ".vrm")


@dataclass(frozen=True)
class FileJob:
    """What to do with one file. ``maps`` are profile files, each for whichever of the two rigs it fits; ``options`` as
    in a retarget's request; ``report`` and ``sheet`` name further files to write ("": none)."""

    source: str
    target: str
    out: str
    maps: tuple[str, ...] = ()
    take: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""
    sheet: str = ""

    @classmethod
    def from_map(cls, told: Mapping[str, Any]) -> FileJob:
        """From plain values."""
        return cls(**{**told, "maps": tuple(told.get("maps", ()))})

    def to_map(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def run(job: FileJob) -> dict[str, Any]:
    """Do it; raises what went wrong. ``frames``, ``files``, ``notes``, and where the time went: ``read_s``,
    ``retarget_s`` (``retarget_cpu_s`` of the processor, with the report's figures if asked), ``write_s``."""
    began = time.perf_counter()
    told = [_profile(path, Path(path).stat().st_mtime_ns) for path in job.maps]
    target, target_map = _target(job.target, Path(job.target).stat().st_mtime_ns, tuple(job.maps))
    source = formats.load(job.source)
    clip = formats.choose(source, job.take)
    source_map = _source_map(source, told)
    options = options_of(job.options, ["options"])
    read, cpu_s = time.perf_counter(), time.process_time()
    report: RetargetReport | None = None
    if job.report:
        made, report = retarget_with_report(clip, source_map, target.skeleton, target_map, options)
        travel, notes = report.travel, report.notes
        spent_s = report.seconds
    else:
        result = retarget(clip, source_map, target.skeleton, target_map, options)
        made, travel, notes = result.clip, result.travel, result.notes
        spent_s = time.perf_counter() - read
    carried_over, cpu_s = time.perf_counter(), time.process_time() - cpu_s
    made = replace(made, name=clip.name or Path(job.source).stem)
    files = _write(job, target, made, travel if options.root is RootPolicy.OBJECT else None)
    if report is not None:
        files.append(_report(job, source, clip, report))
    wrote = time.perf_counter()
    if job.sheet:
        files.append(_sheet(job, clip, made))
    return {
        "files": files, "frames": len(made), "fps_hz": made.fps_hz, "take": clip.name,
        "read_s": read - began, "retarget_s": spent_s, "retarget_cpu_s": cpu_s, "write_s": wrote - carried_over,
        "notes": [*source.source.notes, *_unused(told, source, target), *notes],
    }  # fmt: skip


@lru_cache(maxsize=8)
def _target(path: str, stamp: int, maps: tuple[str, ...]) -> tuple[Asset, RigMap]:
    """The rig everything goes onto, read once: ``stamp`` is the file's time."""
    asset = formats.load(path)
    told = [_profile(name, Path(name).stat().st_mtime_ns) for name in maps]
    return asset, map_of(asset, meant_for(asset, told))


_MAPS: known.Kept[RigMap] = known.Kept()


def _source_map(source: Asset, told: list[Profile]) -> RigMap:
    """The map of a source's rig, read once for all files of one rig: plans are kept by it."""
    folder = source.source.path.parent
    own = None if source.profile is None else repr(source.profile)
    key = (known.by_value(source.skeleton), own, str(folder), use.stamp([folder]), tuple(map(id, told)))
    return _MAPS.get(key, lambda: map_of(source, meant_for(source, told)), told)


@lru_cache(maxsize=32)
def _profile(path: str, stamp: int) -> Profile:
    return profiles.read(path)


def _unused(told: list[Profile], source: Asset, target: Asset) -> list[str]:
    used = {id(meant_for(asset, told)) for asset in (source, target)}
    return [f"The profile '{p.name}' fits neither rig: it was not used." for p in told if id(p) not in used]


def _write(job: FileJob, target: Asset, clip: Clip, travel: Travel | None) -> list[str]:
    out = Path(job.out)
    if out.resolve() in (Path(job.source).resolve(), Path(job.target).resolve()):
        said = f"'{out}' would be overwritten: it is one of the inputs"
        raise RequestError(ErrorCode.INVALID_PARAMETERS, said, {"got": str(out), "file": str(out)})
    if travel is not None:
        clip = carried(clip, travel)
        formats.save(out, clip.skeleton, [clip])
    else:
        formats.save(out, target.skeleton, [clip], character=target.source.path)
    return [str(out)]


def _report(job: FileJob, source: Asset, clip: Clip, report: RetargetReport) -> str:
    told = {
        "kineograph": __version__, "source": job.source, "take": clip.name, "target": job.target, "out": job.out,
        "options": dict(job.options), "read": list(source.source.notes), **report.to_json(),
    }  # fmt: skip
    whole.write_text(Path(job.report), json.dumps(plain(told), indent=1, ensure_ascii=False) + "\n")
    return job.report


def _sheet(job: FileJob, source: Clip, made: Clip) -> str:
    from kineograph.cli import pair_sheet  # pillow is not everywhere that retargets

    title = f"{Path(job.source).name} on {Path(job.target).stem}"
    whole.write(Path(job.sheet), lambda path: pair_sheet.draw(source, made, path, title=title))
    return job.sheet
