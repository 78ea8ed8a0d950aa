# SPDX-License-Identifier: Apache-2.0
"""The watcher's decisions, without a file: every race is a line of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kineograph_daemon.watch.state import (
    Control,
    Discard,
    Ended,
    Hash,
    Hashed,
    Instruction,
    Machine,
    MapsChanged,
    Plan,
    Record,
    Row,
    Rules,
    RulesChanged,
    Scanned,
    Stamp,
    TaskState,
    Work,
)

RULES = Rules(quiet_s=1.0, patience_s=10.0, most=2)
A, B = Stamp(10, 1), Stamp(20, 2)


def plan(digest: str, out: str = "a.glb", target: str = "rig.glb") -> Plan:
    return Plan(f"{digest}>{target}", 0, target, out)


class Desk:
    """A machine with a clock, and what it said."""

    def __init__(self, **known: Row) -> None:
        self.machine = Machine(RULES, {row.key: row for row in known.values()})
        self.now_s = 0.0
        self.kept: list[Row] = []

    def __call__(self, event: Any, after_s: float = 0.0) -> list[Instruction]:
        self.now_s += after_s
        out = self.machine.handle(event, self.now_s)
        self.kept += [i.row for i in out if isinstance(i, Record)]
        return out

    def settle(self, files: dict[str, Stamp]) -> list[Instruction]:
        """Two scans with the quiet time between them."""
        return [*self(Scanned(files)), *self(Scanned(files), 1.0)]

    def hashed(self, path: str, stamp: Stamp, digest: str, *plans: Plan) -> list[Work]:
        return works(self(Hashed(path, stamp, digest, plans or (plan(digest),))))


def works(out: Sequence[Instruction]) -> list[Work]:
    return [i for i in out if isinstance(i, Work)]


def hashes(out: Sequence[Instruction]) -> list[str]:
    return [i.path for i in out if isinstance(i, Hash)]


def test_a_file_is_touched_once_it_rests() -> None:
    desk = Desk()
    assert desk(Scanned({"a.bvh": A})) == []
    assert hashes(desk(Scanned({"a.bvh": A}), 0.9)) == []
    assert hashes(desk(Scanned({"a.bvh": B}), 0.2)) == []  # it grew: it rests from now on
    assert hashes(desk(Scanned({"a.bvh": B}), 0.9)) == []
    assert hashes(desk(Scanned({"a.bvh": B}), 0.2)) == ["a.bvh"]
    assert hashes(desk(Scanned({"a.bvh": B}), 5.0)) == []
    (work,) = desk.hashed("a.bvh", B, "d")
    assert work.row.state is TaskState.WORKING
    assert not desk.machine.is_idle
    desk(Ended(work.row.key, TaskState.DONE, frames=7))
    assert desk.machine.is_idle
    assert [row.state for row in desk.kept] == [TaskState.WAITING, TaskState.WORKING, TaskState.DONE]
    assert desk.settle({"a.bvh": B}) == []


def test_what_has_an_outcome_is_not_done_again_after_a_restart() -> None:
    done = Row("d>rig.glb", "a.bvh", "d", "rig.glb", "a.glb", TaskState.DONE)
    desk = Desk(done=done)
    assert hashes(desk.settle({"a.bvh": A})) == ["a.bvh"]
    assert desk.hashed("a.bvh", A, "d") == []
    assert desk.machine.is_idle
    (other,) = desk.hashed("a.bvh", A, "d", plan("d", target="other.glb")) or [None]
    assert other is not None  # another rig is another task


def test_what_was_at_work_when_the_watcher_died_is_taken_up() -> None:
    desk = Desk(left=Row("d>rig.glb", "a.bvh", "d", "rig.glb", "a.glb", TaskState.WORKING, tries=1))
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    assert work.row.tries == 1  # the same job as before


def discards(out: Sequence[Instruction]) -> list[str]:
    return [i.row.out for i in out if isinstance(i, Discard)]


def test_what_a_dead_watcher_may_have_written_under_a_former_name_is_removed() -> None:
    row = Row("d>rig.glb", "old.bvh", "d", "rig.glb", "old.glb", TaskState.WORKING)
    desk = Desk(left=row)
    assert discards(desk.settle({"new.bvh": A})) == []
    out = desk(Hashed("new.bvh", A, "d", (plan("d", "new.glb"),)))
    assert discards(out) == ["old.glb"]
    assert [w.row.out for w in works(out)] == ["new.glb"]

    desk = Desk(left=row)  # it still had that name when the next one started, and lost it before its turn
    desk(Control(paused=True))
    desk(Scanned({"old.bvh": A}))
    desk.machine.paused = False
    desk(Scanned({"old.bvh": A}), 1.0)
    desk.machine.rules = Rules(quiet_s=1.0, patience_s=10.0, most=0)
    assert discards(desk(Hashed("old.bvh", A, "d", (plan("d", "old.glb"),)))) == []
    assert discards(desk(Scanned({"new.bvh": A}))) == ["old.glb"]

    desk = Desk(left=Row("d>rig.glb", "old.bvh", "d", "rig.glb", "old.glb", TaskState.DONE))
    desk.settle({"new.bvh": A})
    assert desk(Hashed("new.bvh", A, "d", (plan("d", "new.glb"),))) == [], "what is done stays under its name"


def test_a_renamed_file_is_the_same_work() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    assert hashes(desk.settle({"b.bvh": A})) == ["b.bvh"]
    assert desk.hashed("b.bvh", A, "d") == []
    desk(Ended(work.row.key, None, again="gone"))  # the reader came too late for the old name
    assert hashes(desk.settle({"b.bvh": A})) == ["b.bvh"]
    assert len(desk.hashed("b.bvh", A, "d")) == 1


def test_another_rig_or_profile_opens_every_file() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    desk(Ended(work.row.key, TaskState.DONE))
    desk(RulesChanged())
    assert hashes(desk.settle({"a.bvh": A})) == ["a.bvh"]
    assert desk.hashed("a.bvh", A, "d") == []


def test_one_content_under_two_names_is_done_once() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A, "b.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    assert desk.hashed("b.bvh", A, "d") == []
    assert desk.kept[-1].state is TaskState.DUPLICATE
    assert desk.kept[-1].original == "a.bvh"
    desk(Ended(work.row.key, TaskState.DONE))
    assert desk.machine.is_idle


@pytest.mark.parametrize("early", [True, False])
def test_each_of_two_bad_files_gets_its_own_reason(early: bool) -> None:
    desk = Desk()
    desk.settle({"a.bvh": A, "b.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    error = {"error": {"code": "file_unreadable", "message": "", "details": {}}}
    if early:
        assert desk.hashed("b.bvh", A, "d") == []  # a twin, as long as nothing is known against it
        desk(Ended(work.row.key, TaskState.FAILED, error))
        assert hashes(desk.settle({"a.bvh": A, "b.bvh": A})) == ["b.bvh"]
    else:
        desk(Ended(work.row.key, TaskState.FAILED, error))
    (other,) = desk.hashed("b.bvh", A, "d")
    assert other.row.source == "b.bvh"
    desk(Ended(other.row.key, TaskState.FAILED, error))
    assert desk.machine.is_idle
    assert desk.machine.counts()["failed"] == 2
    again = Desk(**{f"r{n}": row for n, row in enumerate(desk.machine.rows.values())})
    again.settle({"a.bvh": A, "b.bvh": A})
    assert again.hashed("b.bvh", A, "d") == again.hashed("a.bvh", A, "d") == []


def test_an_incomplete_file_gets_patience_and_then_its_reason() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    tries = 0
    error = {"error": {"code": "file_incomplete", "message": "", "details": {}}}
    while desk.machine.rows[work.row.key].state is not TaskState.FAILED:
        assert works(desk(Ended(work.row.key, None, error, again="incomplete"))) == []
        if desk.machine.rows[work.row.key].state is TaskState.FAILED:
            break
        again: list[Work] = []
        while not again:
            again = works(desk(Scanned({"a.bvh": A}), 0.5))
        tries += 1
    assert 3 <= tries <= 10
    assert desk.machine.rows[work.row.key].error == error
    assert desk.machine.is_idle
    desk.settle({"a.bvh": B})  # the copy went on after all
    assert len(desk.hashed("a.bvh", B, "whole")) == 1


def test_a_daemon_that_is_away_is_waited_for_as_long_as_it_takes() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    for _ in range(50):
        desk(Ended(work.row.key, None, {"error": {}}, again="away"))
        assert not desk.machine.is_idle
        assert works(desk(Scanned({"a.bvh": A}), 31.0)) != []
    desk(Ended(work.row.key, TaskState.DONE))
    assert desk.machine.is_idle


def test_a_job_that_is_lost_runs_under_another_id_and_not_for_ever() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    seen = [work.row.tries]
    for _ in range(10):
        desk(Ended(work.row.key, None, {"error": {}}, again="lost"))
        again = works(desk(Scanned({"a.bvh": A}), 31.0))
        if not again:
            break
        seen.append(again[0].row.tries)
    assert seen == [0, 1, 2, 3]
    assert desk.machine.rows[work.row.key].state is TaskState.FAILED


def test_no_more_than_so_many_at_once_and_none_while_paused() -> None:
    desk = Desk()
    files = {f"{n}.bvh": Stamp(n, 1) for n in range(5)}
    desk.settle(files)
    begun = [w for n in range(5) for w in desk.hashed(f"{n}.bvh", Stamp(n, 1), f"d{n}", plan(f"d{n}", f"{n}.glb"))]
    assert len(begun) == 2
    desk(Control(paused=True))
    assert works(desk(Ended(begun[0].row.key, TaskState.DONE))) == []
    assert len(works(desk(Control()))) == 1
    desk(Control(draining=True))
    assert not desk.machine.is_drained
    for row in [r for r in desk.machine.rows.values() if r.state is TaskState.WORKING]:
        assert works(desk(Ended(row.key, TaskState.DONE))) == []
    assert desk.machine.is_drained
    assert desk.machine.counts()["waiting"] == 2


def test_an_edited_map_opens_what_waited_for_it() -> None:
    desk = Desk()
    desk.settle({"a.bvh": A})
    (work,) = desk.hashed("a.bvh", A, "d")
    desk(Ended(work.row.key, TaskState.NEEDS_MAP, {"error": {}}))
    assert desk.settle({"a.bvh": A}) == []
    desk(MapsChanged())
    assert hashes(desk.settle({"a.bvh": A})) == ["a.bvh"]
    assert len(desk.hashed("a.bvh", A, "d")) == 1


EVENTS = st.lists(
    st.tuples(st.sampled_from(["scan", "hash", "end", "pause", "go", "maps"]), st.integers(0, 7), st.floats(0, 3)),
    max_size=80,
)


@given(EVENTS)
def test_nothing_is_done_twice_and_nothing_is_lost(events: list[tuple[str, int, float]]) -> None:
    """Whatever happens in whatever order: one outcome a key, never more work than allowed, and it all ends."""
    desk = Desk()
    names = [f"{n}.bvh" for n in range(4)]
    asked: list[Hash] = []
    working: dict[str, Work] = {}
    done: list[str] = []

    def take(out: list[Instruction]) -> None:
        for i in out:
            if isinstance(i, Hash):
                asked.append(i)
            if isinstance(i, Work):
                assert i.row.key not in working
                assert i.row.key not in done
                working[i.row.key] = i
        assert len(working) == desk.machine.running <= RULES.most

    def answer_hash() -> None:
        h = asked.pop(0)
        digest = f"{h.path}{h.stamp.mtime_ns}"
        take(desk(Hashed(h.path, h.stamp, digest, [plan(digest, h.path)])))

    def end(number: int) -> None:
        key = sorted(working)[number % len(working)]
        del working[key]
        outcome = [Ended(key, TaskState.DONE), Ended(key, None, again="away"), Ended(key, None, again="changed")]
        if number % 3 == 0:
            done.append(key)
        take(desk(outcome[number % 3]))

    for what, number, after_s in events:
        match what:
            case "scan":
                files = {n: Stamp(1, number // 4) for k, n in enumerate(names) if (number + k) % 4}
                take(desk(Scanned(files), after_s))
            case "hash" if asked:
                answer_hash()
            case "end" if working:
                end(number)
            case "pause":
                take(desk(Control(paused=True)))
            case "go":
                take(desk(Control()))
            case "maps":
                take(desk(MapsChanged()))
    take(desk(Control()))
    final = {n: Stamp(1, 99) for n in names}
    for _ in range(200):
        take(desk(Scanned(final), 31.0))
        while asked:
            answer_hash()
        while working:
            end(0)
        if desk.machine.is_idle:
            break
    assert desk.machine.is_idle
    assert {f"{n}99>rig.glb" for n in names} <= set(done)


@pytest.mark.parametrize("state", list(TaskState))
def test_every_state_has_a_word_in_the_counts(state: TaskState) -> None:
    machine = Machine(RULES, {"k": Row("k", "a", "d", "t", "o", state)})
    assert machine.counts()[str(state)] == 1
