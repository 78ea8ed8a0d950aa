# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong and is not settled yet, as the Problems panel shows it. Knows no bpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kineograph.errors import KineographError, error
from kineograph.fixes import Problem, resolve

from ..advice import Advice
from .job import Job

MOST = 20


@dataclass(eq=False)
class Trouble:
    """One error with what is needed to mend it: the job it happened to, or the take that could not be written.

    ``how`` are the keywords that the take was to be written with. ``said`` is what a fix did, or with ``refused`` why
    it could not; ``can_go_on`` whether to try again makes sense now, ``changed`` the mended request, ``fields`` what
    goes with its submit message. ``reread``: the scene was mended, not the request, and is to be read anew.
    ``explained``: its cause and code show. ``note``: it is no error, and what it is about went out all the same.
    ``redo``: the operator that failed before there was a job, and what it was told.
    """

    id: str
    error: KineographError
    owner: str = ""
    character: str = ""
    job: Job | None = None
    take: str = ""
    how: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    refused: bool = False
    explained: bool = False
    note: Advice | None = None
    redo: tuple[str, Mapping[str, Any]] = ("", {})
    can_go_on: bool = False
    changed: dict[str, Any] | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    reread: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Any] | None:
        """The request that failed."""
        return None if self.job is None else self.job.outgoing.request

    def problem(self) -> Problem:
        """Text and fixes, from the catalogue."""
        if self.note is not None:
            return self.note.problem()
        sent = None if self.job is None else self.job.outgoing
        known: dict[str, Any] = {"character": self.character or None, **self.context}
        if sent is not None:
            known |= {"request": sent.request, "refs": sent.refs, "character": sent.rig.armature}
        return resolve(self.error if sent is not None else _as_if_sent(self.error), known)

    def drop_refs(self, action: str, args: Mapping[str, Any]) -> None:
        """A mended request has fewer constraints: what they stood for goes too, so that later errors name the rest."""
        if self.job is None or action not in ("drop_constraint", "drop_constraints_of_type"):
            return
        sent = self.job.outgoing
        constraints = (self.changed or sent.request).get("constraints") or []
        gone = {
            i
            for i, item in enumerate(constraints)
            if i == args.get("index") or item.get("type") == args.get("type", object())
        }
        refs = dict(sent.refs)
        refs["constraints"] = [r for i, r in enumerate(refs.get("constraints") or ()) if i not in gone]
        self.job = replace(self.job, outgoing=replace(sent, refs=refs))


class Troubles:
    """Newest first, one of a kind for each character."""

    def __init__(self) -> None:
        self._newest = 0
        self._all: list[Trouble] = []
        self._shown: dict[str, Problem] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Any:
        return iter(tuple(self._all))

    def add(self, failed: KineographError, **facts: Any) -> Trouble:
        """One more; the same trouble of before goes. ``facts``: fields of ``Trouble``."""
        self._newest += 1
        trouble = Trouble(str(self._newest), failed, **facts)
        self._all = [t for t in self._all if not _alike(t, trouble)]
        self._all.insert(0, trouble)
        del self._all[MOST:]
        return trouble

    def get(self, id: str) -> Trouble | None:
        """By its id."""
        return next((t for t in self._all if t.id == id), None)

    def problem(self, trouble: Trouble) -> Problem:
        """Text and fixes; worked out once, because panels are drawn often."""
        if trouble.id not in self._shown:
            self._shown[trouble.id] = trouble.problem()
        return self._shown[trouble.id]

    def changed(self, trouble: Trouble) -> None:
        """Its words are worked out anew."""
        self._shown.pop(trouble.id, None)

    def settle(self, trouble: Trouble) -> None:
        """It is mended, or nobody wants to hear of it."""
        self._all = [t for t in self._all if t is not trouble]
        self._shown.pop(trouble.id, None)

    @property
    def newest(self) -> int:
        """The number of the newest that there ever was; 0 before the first."""
        return self._newest

    def settle_all(self, owner: str, *, of_generate: bool, until: int | None = None) -> None:
        """A character's new attempt: what went wrong before is history. ``until``: no newer ones than that."""
        for trouble in tuple(self._all):
            is_old = until is None or int(trouble.id) <= until
            if trouble.owner == owner and bool(trouble.take) != of_generate and is_old and trouble.note is None:
                self.settle(trouble)

    def settle_notes(self, owner: str, character: str) -> None:
        """What was noted when this character was sent last: it is looked at anew."""
        for trouble in tuple(self._all):
            if trouble.note is not None and (trouble.owner, trouble.character) == (owner, character):
                self.settle(trouble)


def _as_if_sent(failed: KineographError) -> KineographError:
    """An error found before anything was sent, with a place in a request: fixes of that place are then offered too."""
    found = failed.details.get("where")
    where: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    ref = where.get("ref")
    if not isinstance(ref, Mapping) or ref.get("kind") not in ("pin", "path") or where.get("path"):
        return failed
    placed = {**failed.details, "where": {**where, "path": ["constraints", 0, "joint"]}}
    return error(failed.code, failed.message, placed)


def _alike(a: Trouble, b: Trouble) -> bool:
    return (a.error.code, a.error.message, a.owner, a.take) == (b.error.code, b.error.message, b.owner, b.take)
