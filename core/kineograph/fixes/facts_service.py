# SPDX-License-Identifier: Apache-2.0
"""Facts about everything around a request: queue, memory, models, keys, files, scenes and services."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kineograph.fixes import timeline, wording

if TYPE_CHECKING:
    from kineograph.fixes.facts import Facts, Source


def busy(source: Source, facts: Facts) -> None:
    """Slots and places in the queue."""
    for name, fact in (
        ("active_requests", "active"),
        ("concurrency_limit", "limit_of"),
        ("position", "ahead"),
        ("ahead", "ahead"),
    ):
        value = source.number(name)
        facts.put(fact, None if value is None else int(value))
    facts.put("holder", source.text("holder") or source.text("held_by"))


def queue_full(source: Source, facts: Facts) -> None:
    """The queue's limit."""
    limit = source.number("queue_limit") or source.number("allowed")
    facts.put("queue_limit", None if limit is None else int(limit))


def memory(source: Source, facts: Facts) -> None:
    """What is needed and free, and what needs less."""
    for key, fact in (("need_bytes", "need"), ("free_bytes", "free")):
        value = source.number(key)
        facts.put(fact, value, None if value is None else f"{value / 1e9:.1f} GB")
    options = source.item("options")
    samples = options.get("num_samples") if isinstance(options, Mapping) else None
    facts.put("one_sample", 1 if isinstance(samples, int) and samples > 1 else None)
    total = timeline.total_frames(source.request)
    facts.put("half_frames", total // 2 if total >= 2 else None)
    _cpu_time(source, facts)


def _cpu_time(source: Source, facts: Facts) -> None:
    value = source.number("cpu_s")
    facts.put("cpu_time", value, None if value is None else wording.seconds(value))


def loading(source: Source, facts: Facts) -> None:
    """How far a model is, or why it does not load."""
    fraction = source.number("fraction")
    facts.put("percent", None if fraction is None else round(100 * fraction))
    eta = source.number("eta_s")
    facts.put("eta", eta, None if eta is None else wording.seconds(eta))
    if source.text("reason") and source.details.get("state") == "failed":
        facts.put("load_failed", source.text("reason"))


def timeout(source: Source, facts: Facts) -> None:
    """The deadline, the step reached, and what would fit."""
    deadline = source.number("deadline_s") or source.number("got") or source.number("timeout_s")
    facts.put("deadline", deadline, None if deadline is None else wording.seconds(deadline))
    _steps(source, facts)
    if deadline:
        facts.put("longer_deadline_s", _longer(deadline, source))
    if source.number("step") == 0 and source.number("steps") == 0:
        facts.put("not_started", True)
    options = source.item("options")
    asked = options.get("diffusion_steps") if isinstance(options, Mapping) else None
    asked = asked if isinstance(asked, int) else source.number("steps")
    facts.put("half_steps", int(asked) // 2 if asked and asked >= 2 else None)


def _longer(deadline_s: float, source: Source) -> int:
    """Enough for all steps at the pace seen, with a quarter more; at least twice and a half the old one."""
    step, steps = source.number("step") or 0, source.number("steps") or 0
    needed = 1.25 * deadline_s * steps / step if step > 0 else 0.0
    wanted = max(2.5 * deadline_s, needed)
    unit = 60 if wanted > 120 else 10
    return max(unit, round(wanted / unit) * unit)


def _steps(source: Source, facts: Facts) -> None:
    step, steps = source.number("step"), source.number("steps")
    if step is not None and steps:
        facts.put("step", int(step))
        facts.put("steps", int(steps))


def failed(source: Source, facts: Facts) -> None:
    """A seed that was not tried yet; the same one for the same request, so that a report can be followed."""
    options = source.item("options")
    seed = options.get("seed") if isinstance(options, Mapping) else None
    if source.request:
        other = random.Random(str(source.error)).randrange(1, 10_000)
        facts.put("next_seed", seed + 1 if isinstance(seed, int) else other)


def job(source: Source, facts: Facts) -> None:
    """The job's short id, who stopped it and where, and how long results are kept."""
    id_ = source.text("job")
    facts.put("job", id_, None if id_ is None else id_[:4] if len(id_) > 12 else id_)
    facts.put("job_raw", id_)
    kept = source.number("retention_s")
    facts.put("retention", kept, None if kept is None else wording.seconds(kept))
    for name in ("never_left", "unread"):
        facts.put(name, source.details.get(name) is True or None)
    facts.put("label", source.text("label"))
    ago = source.number("ago_s")
    facts.put("ago", ago, None if ago is None else wording.seconds(ago))
    by = source.text("by")
    me = source.context.get("client")
    facts.put("by", by, "you" if by in ("you", "user") or (by is not None and by == me) else by)
    _steps(source, facts)
    _file(source, facts)


def _file(source: Source, facts: Facts) -> None:
    path = source.text("file") or source.text("path")
    if path is not None:
        facts.put("file", path, _file_name(path))
        facts.put("file_raw", path)
    blocked = source.text("unwritable")
    if blocked is not None:
        facts.put("unwritable", blocked, f"'{blocked}'")  # whole: the way to it is what has to be mended


def _file_name(path: str) -> str:
    return PurePath(path.replace("\\", "/")).name or path


def version(source: Source, facts: Facts) -> None:
    """Which side is older."""
    got, allowed = source.text("got"), source.details.get("allowed") or source.details.get("supported_majors")
    supported = [str(a) for a in allowed] if isinstance(allowed, (list, tuple)) else [str(allowed)] if allowed else []
    if not supported:
        return
    facts.put("allowed", supported, wording.names(supported))
    ours, theirs = _major(got), [m for s in supported if (m := _major(s)) is not None]
    if ours is None or not theirs:
        return
    facts.put("client_older" if ours < min(theirs) else "daemon_older", True)
    facts.put("version_fault", "client" if ours < min(theirs) else "daemon")


def _major(text: Any) -> int | None:
    found = re.match(r"\d+", str(text)) if text is not None else None
    return int(found.group()) if found else None


def protocol(source: Source, facts: Facts) -> None:
    """Wire versions of both sides."""
    allowed = source.details.get("allowed")
    if isinstance(allowed, (list, tuple)):
        facts.put("allowed", allowed, wording.names(list(allowed)))
    facts.put("version_fault", "unknown")


def forbidden(source: Source, facts: Facts) -> None:
    """What the key may do, and what was wanted."""
    have = source.text("role") or source.text("got")
    need = source.text("needed") or source.text("allowed")
    if have is not None and need is not None:
        words = {"observe": "watch", "submit": "submit", "admin": "do everything"}
        facts.put("role_may", have, words.get(have, have))
        facts.put("needed", need, {"admin": "manage the daemon"}.get(need, words.get(need, need)))
        if have == "observe":
            facts.put("role_observe", True)


def quota(source: Source, facts: Facts) -> None:
    """When the plan's limit ends."""
    facts.put("reset", source.text("reset") or source.text("resets_at") or source.text("reset_at"))


def policy(source: Source, facts: Facts) -> None:
    """What the service objects to."""
    facts.put("reason", source.text("reason") or source.text("category"))


def parameters(source: Source, facts: Facts) -> None:
    """The field a service names."""
    param = source.text("param") or ".".join(map(str, source.path)) or None
    facts.put("param", param, None if param is None else param.replace("_", " "))
    if "got" in source.details and source.details["got"] is None:
        facts.put("absent", True)
    if source.path[:1] == ("options",):
        facts.put("option_path", list(source.path))
    elif param is not None and param.startswith("options."):
        facts.put("option_path", param.split("."))


def files(source: Source, facts: Facts) -> None:
    """Which file, where in it, and why."""
    _file(source, facts)
    for name in ("line", "offset"):
        facts.put(name, source.number(name))
    facts.put("json_path", source.text("json_path"))
    original = source.text("original")
    facts.put("original", original, None if original is None else _file_name(original))
    reason = source.text("reason") or source.text("format")
    facts.put("reason", reason, None if reason is None else wording.told(reason))
    if source.text("needs"):  # nothing is wrong with the file
        facts.put("missing", reason, facts.words.get("reason"))


def daemon(source: Source, facts: Facts) -> None:
    """Process, silence and address."""
    pid, wait = source.number("pid"), source.number("timeout_s") or source.number("deadline_s")
    facts.put("pid", None if pid is None else int(pid), None if pid is None else str(int(pid)))
    facts.put("timeout", wait, None if wait is None else wording.seconds(wait))
    facts.put("endpoint", source.text("endpoint"))
    address = source.context.get("address")
    facts.put("address", address if isinstance(address, str) else None)
    facts.put("no_address", source.text("no_address"))
    told = (source.text("log_tail") or "").strip()
    is_absent = "No module named kineograph_daemon" in told
    facts.put("setup", "python3 installer run" if is_absent else None)
    # What a start says last is why it failed; a path in it is this computer's own affair.
    facts.put("last_words", told.splitlines()[-1].strip()[:160] if told and not is_absent else None)
    where = source.details.get("where")
    if isinstance(where, Mapping) and where.get("setting") == "online_access":
        facts.put("offline", True)
    for name in ("resumed", "interrupted"):
        value = source.details.get(name)
        n = len(value) if isinstance(value, (list, tuple)) else value
        facts.put(name, n if isinstance(n, int) else None, wording.count(n, "job") if isinstance(n, int) else None)
    jobs = source.details.get("interrupted")
    if isinstance(jobs, (list, tuple)) and jobs:
        facts.put("interrupted_jobs", list(jobs))


def scene(source: Source, facts: Facts) -> None:
    """What keeps a take from being written, or what was edited."""
    blocker = source.text("blocker")
    facts.put("blocker", blocker, None if blocker is None else blocker.replace("_", " "))
    bones = source.names("bones") or source.names("blocked")
    if blocker in ("linked", "locked", "tweak", "rest_position", "driven", "scale"):
        facts.put(blocker, bones or True)
    if bones:
        facts.put("blocked_count", len(bones), wording.count(len(bones), "bone is", "bones are"))
        facts.put("blocked_names", bones, wording.names(bones))
        facts.put("edited_count", len(bones), wording.count(len(bones), "bone"))
    edited = source.number("edited")
    facts.put("edited_count", None if edited is None else int(edited), wording.count(int(edited or 0), "bone"))
    if source.text("change") == "deleted":
        facts.put("deleted", True)
    facts.words.setdefault("Character", "The character")


def mapping(source: Source, facts: Facts) -> None:
    """How well a rig is understood."""
    joints = source.number("joints")
    facts.put("joint_count", None if joints is None else int(joints))
    share = source.number("closest_share")
    facts.put("closest", source.text("closest"))
    facts.put("closest_share", None if share is None else round(100 * share))
    missing = [m.replace("_", " ") for m in source.names("missing")]
    if missing:
        facts.put("missing_count", len(missing), wording.count(len(missing), "limb joint"))
        facts.put("missing_names", missing, wording.names(missing))
    role = source.text("role")
    facts.put("role", role, None if role is None else role.replace("_", " "))
    candidates = source.names("candidates")
    facts.put("candidates", candidates or None, " or ".join(f"'{c}'" for c in candidates[:3]) if candidates else None)
    _file(source, facts)


def phrases(source: Source, facts: Facts) -> None:
    """How many phrases are known and which is nearest."""
    count = source.number("phrases")
    facts.put("phrase_count", None if count is None else int(count))
    near = source.names("suggestions")
    if near:
        facts.put("nearest", near, wording.names([f"'{p}'" for p in near], 3))
        index = source.path[1] if source.path[:1] == ("segments",) and len(source.path) > 1 else None
        facts.put("prompt_segment", index)
        facts.put("nearest_prompt", near[0])
    _cpu_time(source, facts)


def control(source: Source, facts: Facts) -> None:
    """Which control, which limb, what it lacks."""
    limb = source.text("limb")
    facts.put("control", source.text("control"))
    facts.put("limb", limb, None if limb is None else limb.replace("_", " "))
    facts.put("lacks", source.text("lacks"))


GATHERERS: Mapping[str, Callable[[Source, Facts], None]] = {
    "rate_limited": busy,
    "concurrency_limit": busy,
    "queue_full": queue_full,
    "resource_exhausted": memory,
    "model_unavailable": loading,
    "timeout": timeout,
    "internal_error": failed,
    "generation_failed_no_content": failed,
    "request_not_found": job,
    "result_expired": job,
    "request_cancelled": job,
    "idempotency_conflict": job,
    "version_unsupported": version,
    "protocol_mismatch": protocol,
    "forbidden": forbidden,
    "quota_exceeded": quota,
    "content_policy_violation": policy,
    "invalid_parameters": parameters,
    "image_processing_error": files,
    "file_incomplete": files,
    "file_unreadable": files,
    "duplicate_input": files,
    "daemon_unreachable": daemon,
    "handshake_timeout": daemon,
    "daemon_restarted": daemon,
    "connection_failed": daemon,
    "rig_changed": scene,
    "apply_blocked": scene,
    "take_edited": scene,
    "profile_missing": mapping,
    "map_incomplete": mapping,
    "ambiguous_map": mapping,
    "prompt_not_in_pack": phrases,
    "control_unmapped": control,
}
