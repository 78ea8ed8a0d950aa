# SPDX-License-Identifier: Apache-2.0
"""The watcher's loop: scans, takes fingerprints, works in a few threads, keeps the ledger, tells what happens."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from kineograph.client import Client, LinkState
from kineograph.client.lock import DaemonLock
from kineograph.errors import ErrorCode, KineographError, SceneError, from_envelope
from kineograph.fixes import resolve
from kineograph.formats import whole
from kineograph.rigs.profiles import use
from kineograph_daemon.watch import summary
from kineograph_daemon.watch.carry import FAILED, NEEDS_MAP, Carrier, Target, discard, failure_of, open_target
from kineograph_daemon.watch.ledger import Ledger
from kineograph_daemon.watch.rules import Config, settings_key, suffix_of
from kineograph_daemon.watch.scan import Hints, scan, stamp_of
from kineograph_daemon.watch.state import (
    Control,
    Discard,
    Event,
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
    TaskState,
    Tell,
    Work,
)

_log = logging.getLogger(__name__)

SUMMARY_EVERY_S = 10.0
STATUS_EVERY_S = 0.5
CANCELLED = 6
_ONCE_SCANS = 2
_HALF = re.compile(r"\..+\.[0-9a-f]{8}\.[a-z0-9]+")  # as ``whole.write`` names what is not in place yet
Say = Callable[[dict[str, Any]], None]


class Runner:
    """One watcher over one folder. ``say`` gets a plain map for everything worth showing."""

    def __init__(self, config: Config, say: Say) -> None:
        self._config = config
        self._say = say
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stop = Control()
        self._targets: dict[str, Target] = {}
        self._profiles: dict[str, str] = {}
        self._stamps: dict[str, Any] = {}
        self._outs: dict[str, str] = {}
        self._outs_lock = threading.Lock()
        self._scans = 0
        self._present: set[str] = set()
        self._maps: set[tuple[str, int, int]] | None = None

    def run(self) -> bool:
        """Watch until drained, or (``once``) until every file has its outcome. Whether nothing failed."""
        config = self._config
        if not config.source.is_dir():
            said = f"'{config.source}' is no folder"
            raise SceneError(ErrorCode.FILE_UNREADABLE, said, {"file": str(config.source), "reason": "is no folder"})
        with ExitStack() as stack:
            lock = DaemonLock(config.state.with_name(config.state.name + ".lock"))
            config.state.parent.mkdir(parents=True, exist_ok=True)
            if not lock.acquire():
                said = f"another watcher works with '{config.state}'"
                raise SceneError(ErrorCode.DUPLICATE_INPUT, said, {"file": str(config.state)})
            stack.callback(lock.release)
            ledger = Ledger(config.state)
            stack.callback(ledger.close)
            ledger.tell("run")
            _sweep(config.out)
            self._open_rules()
            client = Client(config.address, name=f"watcher:{config.source.name}", kind="watcher",
                            start_daemon=config.start and config.address is None)  # fmt: skip
            stack.callback(client.close)
            rules = Rules(quiet_s=config.quiet_s, patience_s=config.patience_s, most=config.most)
            machine = Machine(rules, ledger.rows(config.out))
            self._outs = {row.out: row.source for row in machine.rows.values() if row.state is not TaskState.DUPLICATE}
            carrier = Carrier(client, config.source, config.out, self._targets)
            pool = stack.enter_context(ThreadPoolExecutor(config.most + 1, "kineograph-watch"))
            hints = Hints(config.source, self._wake, not config.network)
            stack.callback(hints.close)
            self._loop(machine, ledger, carrier, pool, client)
            self._summarise(machine)
            failed = [r for r in machine.rows.values() if r.state in _BAD and r.source in self._present]
            self._say({"t": "end", "counts": machine.counts(), "failed": len(failed)})
            return not failed

    def stop(self, *_: Any) -> None:
        """Finish what is at work and end; a second call ends at once: the next start goes on from there."""
        if self._stop.draining:
            os._exit(CANCELLED)
        self._stop = Control(draining=True)
        self._inbox.put(None)

    # ---- the loop ------------------------------------------------------------------------------------------------

    def _loop(
        self, machine: Machine, ledger: Ledger, carrier: Carrier, pool: ThreadPoolExecutor, client: Client
    ) -> None:
        next_scan_s = summarised_s = told_s = 0.0
        changed = True
        while True:
            now_s = time.monotonic()
            events: list[Event] = []
            if now_s >= next_scan_s or self._wake.is_set():
                self._wake.clear()
                events += self._look(ledger, carrier.made_maps)
                soon = self._config.quiet_s / 2 if self._hurried(machine) else self._config.every_s
                next_scan_s = now_s + soon
            events += self._received(0.0)
            for event in events:
                for instruction in machine.handle(event, now_s):
                    changed |= self._carry_out(instruction, ledger, carrier, pool)
            if changed and now_s - summarised_s >= SUMMARY_EVERY_S:
                self._summarise(machine)
                summarised_s, changed = now_s, False
            if now_s - told_s >= STATUS_EVERY_S:
                self._status(machine, client)
                told_s = now_s
            once = self._config.once and self._scans >= _ONCE_SCANS and machine.is_idle and self._inbox.empty()
            if machine.is_drained or once:
                return
            wait_s = min(next_scan_s - time.monotonic(), STATUS_EVERY_S)
            for event in self._received(max(0.0, wait_s)):
                for instruction in machine.handle(event, time.monotonic()):
                    changed |= self._carry_out(instruction, ledger, carrier, pool)

    def _hurried(self, machine: Machine) -> bool:
        """Scans come closer while files settle."""
        return machine.counts()["settling"] > 0 and not self._config.network

    def _received(self, wait_s: float) -> list[Event]:
        """What came in; waits for the first of it up to ``wait_s``, less when a hint arrives."""
        out: list[Event] = []
        until_s = time.monotonic() + wait_s
        while True:
            try:
                left_s = until_s - time.monotonic()
                event = self._inbox.get_nowait() if out or left_s <= 0 else self._inbox.get(timeout=min(left_s, 0.1))
            except queue.Empty:
                if out or time.monotonic() >= until_s or self._wake.is_set():
                    return out
                continue
            if event is None:
                return [*out, self._stop]
            out.append(event)

    def _look(self, ledger: Ledger, made_maps: set[tuple[str, int, int]]) -> list[Event]:
        """One scan, and whatever else may have changed meanwhile."""
        out: list[Event] = []
        told = ledger.control()
        out.append(Control(told.paused, told.draining or self._stop.draining))
        try:
            files = scan(self._config.source, [self._config.out])
        except OSError as e:
            # A drive that is away is not an empty folder.
            self._say({"t": "away", "folder": str(self._config.source), "reason": e.strerror or str(e)})
            return out
        self._scans += 1
        self._present = set(files)
        files = {path: stamp for path, stamp in files.items() if self._config.rule_for(path) is not None}
        if self._maps_changed(made_maps):
            out.append(MapsChanged())
        if self._rules_stamps() != self._stamps:
            with suppress(KineographError):  # half-written: looked at again with the next scan
                self._open_rules()
                out.append(RulesChanged())
        return [*out, Scanned(files)]

    def _maps_changed(self, made_maps: set[tuple[str, int, int]]) -> bool:
        """Whether a person wrote or edited a profile since the last scan.

        A map that was made here does not count as long as it is as it was made: it may be edited before a scan sees it.
        """
        now = set(use.stamp([self._config.out / NEEDS_MAP, self._config.source]))
        before, self._maps = self._maps, now
        if before is None:
            return False
        return bool((now ^ before) - made_maps)

    # ---- instructions --------------------------------------------------------------------------------------------

    def _carry_out(self, i: Instruction, ledger: Ledger, carrier: Carrier, pool: ThreadPoolExecutor) -> bool:
        match i:
            case Hash():
                pool.submit(self._hash, i)
            case Work():
                pool.submit(lambda: self._inbox.put(carrier.run(i, self._config.rules[i.plan.rule])))
            case Record():
                # The reason first: killed in between, the row is worked on again and the reason written again.
                self._record_failure(i.row)
                ledger.keep(i.row)
                return True
            case Tell():
                self._tell(i.row, i.why)
            case Discard():
                discard(self._config.out, i.row)
        return False

    def _hash(self, i: Hash) -> None:
        path = self._config.source / i.path
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            self._inbox.put(Hashed(i.path, i.stamp, None))
            return
        rule = self._config.rule_for(i.path)
        plans = [] if rule is None else self._plans(i.path, digest, rule)
        same = stamp_of(path) == i.stamp
        self._inbox.put(Hashed(i.path, i.stamp, digest if same else None, plans))

    def _plans(self, path: str, digest: str, number: int) -> list[Plan]:
        rule = self._config.rules[number]
        several = len({t for r in self._config.rules for t in r.to}) > 1
        out = []
        for to in rule.to:
            settings = settings_key(rule, self._targets[to].digest, self._profiles.get(rule.profile, ""))
            key = hashlib.sha256(f"{digest}{settings}".encode()).hexdigest()
            folder = f"{Path(to).stem}/" if several else ""
            out.append(Plan(key, number, to, self._place(path, folder, suffix_of(rule, to))))
        return out

    def _place(self, path: str, folder: str, suffix: str) -> str:
        """The result's place: named like the source; with its extension where another source has that name."""
        place = Path(path)
        stems = [place.stem, f"{place.stem}_{place.suffix[1:].lower()}"]
        stems += [f"{stems[1]}_{n}" for n in range(2, 1000)]
        with self._outs_lock:
            for stem in stems:
                out = folder + place.with_name(stem + suffix).as_posix()
                if self._outs.setdefault(out, path) == path:
                    return out
        return (
            folder + place.with_name(f"{stems[1]}_{hashlib.sha256(path.encode()).hexdigest()[:8]}{suffix}").as_posix()
        )

    # ---- what people see -----------------------------------------------------------------------------------------

    def _record_failure(self, row: Row) -> None:
        if row.state not in _BAD or row.error is None:
            return
        problem = resolve(from_envelope(row.error))
        told = {
            **row.error, "source": str(self._config.source / row.source), "sha256": row.digest, "target": row.target,
            "problem": {"title": problem.title, "text": problem.text, "fixes": [f.label for f in problem.fixes]},
        }  # fmt: skip
        folder = FAILED if row.state is TaskState.FAILED else NEEDS_MAP
        path = failure_of(self._config.out / folder, row)
        with suppress(SceneError):  # a full disk: the ledger has it
            whole.write_text(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")

    def _tell(self, row: Row, why: str) -> None:
        code, text = summary.reason(row.error)
        self._say({
            "t": "task", "state": str(row.state), "source": row.source, "out": row.out, "why": why, "code": code,
            "text": text, "frames": row.frames, "seconds": row.seconds,
        })  # fmt: skip

    def _status(self, machine: Machine, client: Client) -> None:
        self._say({
            "t": "status", "counts": machine.counts(), "running": machine.running, "paused": machine.paused,
            "draining": machine.draining, "daemon": client.state is LinkState.READY, "files": len(self._present),
        })  # fmt: skip

    def _summarise(self, machine: Machine) -> None:
        with suppress(SceneError):
            summary.write(self._config.out, machine.rows.values())

    # ---- rules ---------------------------------------------------------------------------------------------------

    def _open_rules(self) -> None:
        """Read every target and profile. Raises what is wrong with one."""
        stamps = self._rules_stamps()
        for rule in self._config.rules:
            if rule.profile:
                self._profiles[rule.profile] = _digest(Path(rule.profile))
            for to in rule.to:
                digest = _digest(Path(to))
                if to not in self._targets or self._targets[to].digest != digest:
                    self._targets[to] = open_target(Path(to), digest)
        self._stamps = stamps

    def _rules_stamps(self) -> dict[str, Any]:
        named = {path for rule in self._config.rules for path in (*rule.to, rule.profile) if path}
        return {path: stamp_of(Path(path)) for path in named}


_BAD = (TaskState.FAILED, TaskState.NEEDS_MAP)


def _sweep(out: Path) -> None:
    """Remove what a watcher that was killed had half written: such files have hidden names of our own making."""
    for path in out.rglob(".*") if out.is_dir() else ():
        if _HALF.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        reason = e.strerror or str(e)
        said = f"'{path}' cannot be opened: {reason}"
        raise SceneError(ErrorCode.FILE_UNREADABLE, said, {"file": str(path), "reason": reason}) from e
