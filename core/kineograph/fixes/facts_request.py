# SPDX-License-Identifier: Apache-2.0
"""Facts about what is wrong in a request: shape, joints, skeleton, frames, kinds of constraints and segments."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from kineograph.fixes import facts_options, schema_words, timeline, wording

if TYPE_CHECKING:
    from kineograph.fixes.facts import Facts, Source

_NAN = ("nan", "inf", "-inf", "+inf", "infinity", "-infinity")
_NAN_RECORDS = ("finite_number",)


def schema(source: Source, facts: Facts) -> None:
    """What is malformed, and how."""
    records = source.details.get("errors")
    record = records[0] if isinstance(records, (list, tuple)) and records and isinstance(records[0], Mapping) else {}
    kind, field = str(record.get("type", "")), _field(source.path)
    facts.put("field", field)
    got = source.details.get("got", source.item(*source.path) if source.path else None)
    taken = schema_words.takes(record)
    if kind.startswith("union_tag"):
        field, got = "type", got.get("type") if isinstance(got, Mapping) else got
        facts.put("field", field)
        if taken is None and source.path[:1] == ("constraints",):
            taken = ", ".join(wording.CONSTRAINTS)
    elif source.path and isinstance(source.path[-1], int):
        _numbered(source, facts)
    if taken is not None:
        facts.put("allowed", taken, taken)
    elif record:
        facts.words.pop("allowed", None)
        facts.put("problem", schema_words.problem(record))
    if record and taken is not None and (got is not None or "got" in source.details):
        facts.put("got", "nothing" if got is None else got, _kind_of(got, taken))
    _fault(source, facts, kind, field, got)
    if kind == "extra_forbidden" or source.path[:1] == ("protocol_version",):
        facts.put("version_fault", "unknown")


def _fault(source: Source, facts: Facts, kind: str, field: str | None, got: Any) -> None:
    """The faults that have a sentence of their own."""
    if kind in _NAN_RECORDS or str(got).lower() in _NAN:
        facts.put("nan", True)
        if source.path[:1] in (("constraints",), ("skeleton",)):
            facts.put("in_scene", True)
    elif field == "prompt" and (got == "" or kind == "string_too_short"):
        facts.put("empty_prompt", source.path[1] if len(source.path) > 1 else None)
    elif kind in ("missing", "union_tag_not_found") or source.details.get("missing") is True:
        facts.put("absent", True)
        facts.put("instead", _misspelt(source, field))
    elif kind == "extra_forbidden":
        facts.put("extra", True)
        known = source.names("allowed")
        facts.put("beside", known or None, ", ".join(known))
        facts.put("instead", next(iter(difflib.get_close_matches(field or "", known, 1, 0.6)), None))


def _field(path: Sequence[Any]) -> str | None:
    """The last name in a path, as it is written there."""
    return next((p for p in reversed(path) if isinstance(p, str)), None)


def _kind_of(got: Any, taken: str) -> str | None:
    """What stands there, where its kind is what is wrong; None where its own words say it."""
    if isinstance(got, Mapping):
        return "a group of values"
    if isinstance(got, (list, tuple)):
        return f"a list of {len(got)}" if got else "an empty list"
    if taken == "text" and isinstance(got, (int, float)) and not isinstance(got, bool):
        return f"the number {wording.number(got)}"
    return None


def _numbered(source: Source, facts: Facts) -> None:
    """A value in a list has no name of its own: it is the list itself that has one, or the place."""
    if len(source.path) == 2 and source.path[0] in ("constraints", "segments"):
        facts.put("whole", True)
    elif isinstance(source.path[-2], str):
        facts.put("entry", int(source.path[-1]) + 1)


def _misspelt(source: Source, field: str | None) -> str | None:
    """What stands beside a missing field under almost its name."""
    around = source.item(*source.path[:-1])
    if field is None or not isinstance(around, Mapping):
        return None
    names = [key for key in islice(around, 100) if isinstance(key, str)]
    return next(iter(difflib.get_close_matches(field, names, 1, 0.8)), None)


def unknown_joint(source: Source, facts: Facts) -> None:
    """The wrong name, and the one that was meant."""
    joint = source.text("joint") or source.text("got") or _joint_at(source)
    facts.put("joint", joint)
    have = source.names("skeleton_joints") or source.names("allowed") or timeline.joint_names(source.request)
    if joint is None:
        return
    if "suggestion" not in facts.values and have:
        from kineograph.rigs import suggest

        found = suggest(joint, have, 1)
        facts.put("suggestion", found[0].name if found else None)
    if "suggestion" in facts.values:
        facts.put("bone_pairs", [[facts.values["suggestion"], joint]])


def _joint_at(source: Source) -> str | None:
    here = source.item(*source.path)
    if isinstance(here, str):
        return here
    last = source.path[-1] if source.path else None
    return last if isinstance(last, str) and source.path[-2:-1] == ("joint_rotations",) else None


def retargeting(source: Source, facts: Facts) -> None:
    """How the rig differs from the model's own."""
    missing, extra = source.names("missing"), source.names("extra")
    if missing or extra:
        facts.put("missing_count", len(missing))
        facts.put("missing_names", missing, wording.names(missing, 3) if missing else "none")
        facts.put("extra_count", len(extra))
    lacks = [name.replace("_", " ") for name in source.names("lacks")]
    if lacks:
        facts.put("lacks", lacks, wording.names(lacks, 4))
    if source.details.get("order_differs"):
        facts.put("order_differs", True)
        facts.put("model_order", source.names("allowed") or None)
    pairs = _rename_pairs(missing, extra)
    if pairs and len(pairs) == len(missing):
        facts.put("pairs", pairs)
        facts.put("pair_count", len(pairs))
    facts.words.setdefault("Character", "The rig")


def _rename_pairs(missing: list[str], extra: list[str]) -> list[list[str]]:
    """[own name, model's name] for each missing joint that one of the extra ones clearly means."""
    from kineograph.rigs import suggest

    pairs, free = [], list(extra)
    for wanted in missing[:64]:
        found = suggest(wanted, free, 1)
        if found and found[0].score >= 0.75:
            pairs.append([found[0].name, wanted])
            free.remove(found[0].name)
    return pairs


def unsupported_constraint(source: Source, facts: Facts) -> None:
    """Which kind, how many of it, and what the model takes."""
    kind = source.text("got") or _type_at(source)
    taken = _taken(source, "supported_constraints")
    _kinds(facts, kind, taken, wording.CONSTRAINT_WORDS)
    facts.put("constraint_type", kind)
    affected = _affected(source, "constraints", kind)
    if kind and affected:
        one, many = wording.CONSTRAINT_WORDS.get(kind, (kind, kind))
        facts.put("affected", affected, wording.count(len(affected), f"{one} is", f"{many} are"))
    if kind == "root_path" and "pose_keyframe" in taken and affected:
        facts.put("path_constraint", affected[0])


def unsupported_segment(source: Source, facts: Facts) -> None:
    """Which kind of prompt, and what the model takes."""
    kind = source.text("got") or _type_at(source)
    taken = _taken(source, "supported_segments")
    _kinds(facts, kind, taken, wording.SEGMENT_WORDS)
    affected = _affected(source, "segments", kind)
    if affected and "text" in taken and kind == "pose":
        facts.put("foreign_segment", affected[0])
    if "unconditioned" in taken and kind:
        facts.put("segment_type", kind)


def _kinds(facts: Facts, kind: str | None, taken: list[str], table: Mapping[str, tuple[str, str]]) -> None:
    if kind:
        facts.put("kinds", kind, table.get(kind, (kind, kind))[1])
    if taken:
        facts.put("takes", taken, wording.names([table.get(t, (t, t))[1] for t in taken]))


def _taken(source: Source, official: str) -> list[str]:
    return source.names(official) or source.names("allowed")


def _type_at(source: Source) -> str | None:
    kind = source.item(*source.path[:2], "type") if len(source.path) > 1 else None
    return kind if isinstance(kind, str) else None


def _affected(source: Source, group: str, kind: str | None) -> list[int]:
    told = source.details.get("affected")
    if isinstance(told, (list, tuple)):
        return [i for i in told if isinstance(i, int)]
    items = source.item(group)
    if isinstance(items, (list, tuple)):
        return [i for i, item in enumerate(items) if isinstance(item, Mapping) and item.get("type") == kind]
    return []


def invalid_skeleton(source: Source, facts: Facts) -> None:
    """Unknown controls, roots, duplicates, late and lost parents; from the request when the details do not say."""
    joints = timeline.joints(source.request)
    names = [j.get("name") for j in joints]
    roots = source.names("roots") or [str(j.get("name")) for j in joints if j.get("parent") is None]
    duplicates = source.names("duplicates") or [str(n) for n, c in Counter(map(str, names)).items() if c > 1]
    if source.details.get("controls") == 0:
        facts.put("no_controls", True)
    elif len(roots) > 1:
        facts.put("roots", roots, wording.names(roots))
        facts.put("root_names", roots, wording.names(roots))
        facts.put("root_count", len(roots))
        told = [name for name in source.names("suggestions") if name in roots]
        facts.put("main_root", timeline.main_root(joints) or (told or roots)[0])
    elif duplicates:
        facts.put("duplicates", duplicates, wording.names(duplicates))
        facts.put("duplicate_names", duplicates, wording.names([f"'{d}'" for d in duplicates]))
    else:
        _orphans(source, joints, facts)
        if not joints and source.details.get("joints") == 0:
            facts.put("no_joints", True)
        elif joints and not roots and "late_parents" not in facts.values:
            facts.put("no_root", True)
    facts.words.setdefault("Character", "The rig")


def _orphans(source: Source, joints: list[Mapping[str, Any]], facts: Facts) -> None:
    names = {j.get("name") for j in joints}
    told = source.details.get("orphans")
    if isinstance(told, (list, tuple)) and told and all(isinstance(o, Mapping) for o in told):
        orphans = [(str(o.get("joint")), bool(o.get("known", True))) for o in told]
    else:
        seen: set[Any] = set()
        orphans = []
        for joint in joints:
            parent = joint.get("parent")
            if parent is not None and parent not in seen:
                orphans.append((str(joint.get("name")), parent in names))
            seen.add(joint.get("name"))
    if not orphans:
        return
    facts.put("late_count", len(orphans), wording.count(len(orphans), "bone stands", "bones stand"))
    facts.put("lost_count", len(orphans), wording.count(len(orphans), "bone has", "bones have"))
    facts.put("orphan_names", [n for n, _ in orphans], wording.names([n for n, _ in orphans]))
    if not all(known for _, known in orphans):
        facts.put("lost_parents", True)
    elif not joints or timeline.can_sort(joints):
        facts.put("late_parents", True)


def frame_out_of_range(source: Source, facts: Facts) -> None:
    """The frame, the range, and where it could go."""
    if _is_backwards(source, facts):
        return
    frame = source.number("frame")
    frame = frame if frame is not None else source.number("got")
    total = source.number("total_frames")
    if total is None:
        allowed = source.details.get("allowed")
        if isinstance(allowed, (list, tuple)) and len(allowed) == 2 and isinstance(allowed[1], int):
            total = allowed[1] + 1
        else:
            total = timeline.total_frames(source.request) or None
    if frame is None:
        return
    shift = timeline.first_frame(source.context)
    frame = int(frame)
    facts.put("frame", frame, wording.number(frame + shift))
    facts.words.setdefault("Place", "A key")
    if frame < 0:
        facts.put("before", True)
    if total is None:
        return
    last = int(total) - 1
    facts.put("first", shift)
    facts.put("last", last + shift)
    facts.put("total_frames", int(total))
    nearest = min(max(frame, 0), last)
    facts.put("nearest_frame", nearest + shift)
    facts.put("nearest_frame_index", nearest)
    facts.put("frame_path", list(source.path) or None)
    if frame > last:
        furthest = max(frame, timeline.furthest_frame(source.request))
        facts.put("last_needed_frame", furthest)
        facts.put("last_needed", furthest + shift)


def _is_backwards(source: Source, facts: Facts) -> bool:
    """A range that ends before it starts: what is allowed begins after what was given, and has no end."""
    end, allowed = source.number("got"), source.details.get("allowed")
    if end is None or not isinstance(allowed, (list, tuple)) or len(allowed) != 2 or allowed[1] is not None:
        return False
    if not isinstance(allowed[0], int) or end >= allowed[0]:
        return False
    facts.put("backwards", True)
    facts.put("range_start", allowed[0], str(allowed[0]))
    facts.put("range_end", int(end), str(int(end)))
    return True


GATHERERS: Mapping[str, Callable[[Source, Facts], None]] = {
    "schema_validation": schema,
    "unknown_joint": unknown_joint,
    "retargeting_unsupported": retargeting,
    "unsupported_constraint": unsupported_constraint,
    "unsupported_segment": unsupported_segment,
    "invalid_skeleton": invalid_skeleton,
    "frame_out_of_range": frame_out_of_range,
    "invalid_options": facts_options.invalid_options,
    "invalid_request": facts_options.invalid_request,
    "payload_too_large": facts_options.payload_too_large,
}
