# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion onto an armature as a new action, in slices: Blender's main thread is never held for long.

Nothing that the armature shows changes before the last slice. Between slices only names and uuids are held, so that
undo, deletion or file load in the middle ends in an error and not in a crash; what was half written is removed.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, KineographError, error
from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.resample import resample

from .. import compat
from . import action as actions
from . import (
    blockers,
    channels,
    controls,
    fit,
    guard,
    identity,
    mechanism,
    merge,
    muted,
    outside,
    poses,
    recognised,
    stamps,
    strips,
    switches,
    thinned,
    unkeyed,
)
from . import rig as rigs
from . import written as records
from .action import Channels
from .bake_options import BakeOptions, BakeReport
from .datapath import Channel, rotation_prop
from .merge import Outside
from .pace import Pace, work
from .places import where
from .poses import Pose
from .request import scene_fps_hz
from .rig import Rig
from .swift import swift
from .written import Edits, UserKey

FloatArray = NDArray[np.floating[Any]]

DEFAULT_SLICE_S = 0.006
_PLACE_TOLERANCE_M = 1e-6
_LOCK_TOLERANCE = 1e-4


class Bake:
    """One bake. ``step`` works for a while and says whether all is done; ``report`` is complete then."""

    def __init__(
        self,
        rig: Rig,
        clip: Clip,
        start: float,
        take: str,
        options: BakeOptions,
        *,
        armature: str | None = None,
        scene: str | None = None,
    ) -> None:
        self._rig, self._clip, self._start = rig, clip, start
        self._options = options
        self._armature, self._scene = armature, scene
        self.report = BakeReport(take)
        self._rows: controls.Rows | None = None
        self._hold: switches.Hold = {}
        self._still: tuple[str, ...] = ()
        self._mechanism: frozenset[str] = frozenset()
        self._steps = self._run()
        self._done = False
        self._waits = False
        self._is_alone = False
        self._began_again = False

    def step(self, budget_s: float = DEFAULT_SLICE_S) -> bool:
        """Work for ``budget_s`` at most, or on one piece where that takes longer.

        Raises what the bake failed with, after removing what was begun.
        """
        began = time.perf_counter()
        try:
            if not self._done:
                with swift():
                    self._done = work(self._steps, budget_s, lambda: self._waits or self._is_alone)
                    if self._waits:  # for a thread: the main thread has better things to do
                        time.sleep(0.0005)
        except KeyError as e:  # perhaps a bone that was there a moment ago
            if not self._is_without_bones():
                self.abandon()
                raise
            if self._began_again:
                self.abandon()
                raise self._gone("bones were renamed or removed while the take was being written") from e
            self._begin_again()
        except BaseException:
            self.abandon()
            raise
        self.report.longest_slice_s = max(self.report.longest_slice_s, time.perf_counter() - began)
        return self._done

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to do."""
        return self._done

    @property
    def is_begun(self) -> bool:
        """Whether a slice was worked."""
        return bool(self.report.action or self.report.longest_slice_s)

    @property
    def is_there(self) -> bool:
        """Whether Blender has what was written."""
        return stamps.find_action(self.report.take) is not None

    @property
    def shown_take(self) -> str | None:
        """The bake that the armature shows now; None for the user's own action, or nothing."""
        armature = rigs.find(self._rig, self._armature)
        return None if armature is None else stamps.take_of(actions.shown(armature)[0])

    def tidying(self, replaced: str) -> Generator[None, None, None]:
        """An earlier bake that this one took the place of: kept where the user edited it, removed when nothing uses it.

        Its take still has all of it. What was edited is looked at anew, in pieces, when it shows no more: an edit in
        the last moment is one, too.
        """

        def there() -> tuple[Any, Any, Any] | None:
            action = stamps.find_action(replaced)
            armature = rigs.find(self._rig, self._armature)
            if action is None or armature is None or action == actions.shown(armature)[0]:
                return None
            return action, actions.slot_in(action), armature

        edits = yield from records.comparing(there)
        found = there()
        if found is None:
            return
        action, _, armature = found
        if edits.is_edited:
            stamps.keep(armature, action)
        else:
            stamps.remove_unused(replaced)

    def finish(self) -> BakeReport:
        """All at once, and evaluated."""
        while not self.step(1.0):
            pass
        bpy.context.view_layer.update()
        return self.report

    def abandon(self) -> None:
        """Forget the bake; a half-written action is removed."""
        if not self._done:
            self._done = True
            self._steps.close()
            stamps.remove_unused(self.report.take)

    def _is_without_bones(self) -> bool:
        armature = rigs.find(self._rig, self._armature)
        return armature is not None and any(n not in armature.data.bones for n in self._rig.names)

    def _begin_again(self) -> None:
        """Bones were renamed while it was at work: they are written under their new names."""
        stamps.remove_unused(self.report.take)
        self._began_again, self._steps, self.report.keys = True, self._run(), 0

    def _run(self) -> Generator[None, None, None]:
        self._recognise(self._find())
        yield
        self._check(self._find())
        yield
        clip = self._at_scene_rate()
        yield
        found = controls.for_names(self._find(), self._rig.names)
        yield
        if found is not None:
            self._rows, self._hold = controls.rows_of(self._find(), self._rig.names, found), found.hold
        table = outside.table_of(self._find(), self._rig) if self._rows is None else self._rows.table
        yield
        armature = self._find()
        held = outside.influencers(armature, table)
        self.report.held = sorted(held)
        self._still = () if self._rows is None else tuple(n for n in self._rows.still if n not in held)
        written = [*self._written(armature, table), *self._still]
        yield
        clip = yield from self._fitted(clip)
        kept = yield from self._outside(written, clip)
        made = actions.start(
            self._find(),
            self.report.take,
            self._options.name,
            set(written),
            held,
            self._start,
            from_shown=self._adds,
            origin=self._options.origin,
            replaced={switches.channel(*held) for held in self._hold},
        )
        self.report.action = made.name
        yield
        surroundings = yield from outside.sampling(self._around, table, self._frames(clip))
        yield
        whole = yield from self._all_locals(clip, table, surroundings)
        self._note_misses(table, whole)
        yield
        todo = yield from self._channels(table, whole, clip, set(written), kept)
        self._check_locks(table, todo)
        self.report.dense_keys = sum(int(item.values.size) for item in todo)
        todo = yield from self._thinned(todo, clip, table)
        todo = records.over(todo, self._edits())
        for item in todo:
            for keys in actions.writing(self._begun, item):
                self.report.keys += keys
                yield
        last = self._start + len(clip) - 1
        for item in switches.keys(self._find(), self._hold, self._start, last, over=self._options.over):
            actions.write(self._begun(), item)
        yield
        edits = yield from self._user_edits()
        yield
        yield from self._remember(todo, edits, (self._start, last))
        self._is_alone = True  # what follows has a slice of its own
        yield
        self._is_alone = False
        self._assign(edits, {Channel(item.bone, item.prop) for item in todo})

    def _thinned(
        self, todo: list[Channels], clip: Clip, table: channels.BoneTable
    ) -> Generator[None, None, list[Channels]]:
        """Keys only where they matter, worked out beside Blender; all of them for a take of another rate."""
        wanted = self._options.thin if self._rows is None else None
        if wanted is None or clip.fps_hz != self._clip.fps_hz or len(clip) < 3:
            return todo
        modes = dict(zip(table.names, table.modes, strict=True))
        pool = ThreadPoolExecutor(1, thread_name_prefix="kineograph-thin")
        found = pool.submit(thinned.thin, todo, wanted, self._rig, clip, self._start, modes, self._edits())
        self._waits = True
        try:
            yield
            while not found.done():
                yield
            return found.result()
        finally:  # also when the bake is given up: no thread stays behind
            self._waits = False
            pool.shutdown()

    @property
    def _adds(self) -> bool:
        """Whether something of what is shown now stays."""
        return self._options.over or self._options.bones is not None

    def _written(self, armature: Any, table: channels.BoneTable) -> list[str]:
        chosen = self._options.bones
        written = [n for n in table.names if chosen is None or n in chosen]
        if not written:
            raise error(
                ErrorCode.APPLY_BLOCKED,
                f"none of the chosen bones of {armature.name!r} is in the take",
                {"where": where("character", armature.name, armature.name), "blocker": "no_bones"},
            )
        return written

    def _fitted(self, clip: Clip) -> Generator[None, None, Clip]:
        """In place and blended, as asked."""
        if self._options.in_place:
            clip = fit.in_place(clip)
            yield
        if self._options.blend_in or self._options.blend_out:
            count = len(clip)
            heads = range(min(self._options.blend_in, count))
            tails = range(count - min(self._options.blend_out, count - len(heads)), count)
            before = yield from self._shown(heads)
            after = yield from self._shown(tails)
            clip = fit.blended(clip, before, after)
            yield
        return clip

    def _shown(self, frames: range) -> Generator[None, None, list[Pose]]:
        """What the armature shows at some frames of the take, a few a slice."""
        out = []
        for first in range(frames.start, frames.stop, 2):
            armature, scene = self._find(), self._scene_now()
            with guard.untouched(scene, armature):
                for frame in range(first, min(first + 2, frames.stop)):
                    guard.go_to(scene, self._start + frame)
                    out.append(poses.read(armature, self._rig))
            yield
        return out

    def _outside(self, written: list[str], clip: Clip) -> Generator[None, None, dict[Channel, Outside]]:
        """With ``over``, what the written bones show before and after the take."""
        kept: dict[Channel, Outside] = {}
        if not self._options.over:
            return kept
        last = self._start + len(clip) - 1
        for first in range(0, len(written), 8):
            armature = self._find()
            found = merge.curves_by_channel(*actions.shown(armature))
            for name in written[first : first + 8]:
                bone = armature.pose.bones[name]
                for prop in (rotation_prop(bone.rotation_mode)[0], "location", "scale"):
                    channel = Channel(name, prop)
                    if prop != "scale" or channel in found:
                        now = tuple(getattr(bone, prop))
                        kept[channel] = merge.outside(found.get(channel, {}), now, self._start, last)
            yield
        return kept

    def _edits(self) -> list[UserKey]:
        # A place that the user keyed is not where a motion without its travel is.
        return [k for k in self._options.edits if not (self._options.in_place and k.prop == "location")]

    def _user_edits(self) -> Generator[None, None, Edits]:
        """What the user changed of the take that plays now, some curves a slice."""
        take = stamps.take_of(actions.shown(self._find())[0])

        def playing() -> tuple[Any, Any, Any] | None:
            armature = self._find()
            action, slot = actions.shown(armature)
            # Undone, or another one was put on meanwhile.
            return None if take is None or stamps.take_of(action) != take else (action, slot, armature)

        return (yield from records.comparing(playing))

    def _remember(self, todo: list[Channels], found: Edits, span: tuple[float, float]) -> Iterator[None]:
        """What was written stays beside it: the user's later edits are told by the difference."""

        def made() -> tuple[Any, Any]:
            action = self._begun()
            return action, actions.slot_in(action)

        carried = records.carried_on(found, span, self._edits())
        yield from records.storing(made, todo, carried)

    def _recognise(self, armature: Any) -> None:
        """Bones that were renamed since the take was asked for are written under the names they have now."""
        self._rig, now = recognised.now(self._rig, armature, self._options.name, self.report.take)
        if now:
            first = {new: old for old, new in self.report.renamed.items()}
            self.report.renamed |= {first.get(old, old): new for old, new in now.items()}
            self._options = self._options.under(now)

    def _check(self, armature: Any) -> None:
        blockers.check_writable(armature)
        rigs.check_scale(armature.name, np.array(armature.matrix_world, float))
        changed = rigs.what_changed(self._rig, armature)
        if changed:
            raise error(
                ErrorCode.RIG_CHANGED,
                f"{armature.name!r} was edited: {'; '.join(changed[:3])}",
                {"where": where("character", armature.name, armature.name), "got": changed, "take": self.report.take},
            )
        blockers.check_driven(armature, self._rig.names)
        chosen = self._options.bones
        names = [n for n in self._rig.names if chosen is None or n in chosen]
        self.report.constraints = blockers.constraints_on(armature, names)
        self._mechanism = mechanism.bones(armature, self._rig.names)

    def _at_scene_rate(self) -> Clip:
        """One clock: the scene's. A take made at another rate keeps its seconds, and gets a key on every frame."""
        fps_hz = scene_fps_hz(self._scene_now())
        if abs(self._clip.fps_hz / fps_hz - 1.0) < 1e-6:
            return self._clip
        return resample(self._clip, fps_hz)

    def _frames(self, clip: Clip) -> NDArray[np.float32]:
        return (self._start + np.arange(len(clip))).astype(np.float32)

    def _all_locals(
        self, clip: Clip, table: channels.BoneTable, around: outside.Surroundings
    ) -> Generator[None, None, channels.Locals]:
        """Channel values of all frames, some a slice."""
        locals_of, pace = self._locals, Pace(8, least=4)
        if self._rows is None and clip.translations_m is None and channels.is_like(table, self._rig.skeleton.parents):
            locals_of, pace = self._turned_locals, Pace(24, least=16)
        shape = len(clip), len(table.names)
        whole = channels.Locals(np.empty((*shape, 4)), np.empty((*shape, 3)), np.empty(shape))
        first = 0
        while first < len(clip):
            with pace.piece() as count:
                part = locals_of(clip.slice(first, first + count), table, around, first)
                whole.put(first, part)
                first += count
            yield
        return whole

    def _locals(
        self, clip: Clip, table: channels.BoneTable, around: outside.Surroundings, first: int
    ) -> channels.Locals:
        """Channel values of some frames."""
        return self._of_world(*clip.world(), self._rig.rest_world_xyzw, table, around.frames(first, len(clip)))

    def _turned_locals(
        self, clip: Clip, table: channels.BoneTable, around: outside.Surroundings, first: int
    ) -> channels.Locals:
        """The same in a tenth of the time, where ``channels.is_like``: only the root is looked at in the world."""
        rig, turns = self._rig, clip.rotations_xyzw.astype(float)
        axes = quat.mul(rig.frame.turn_xyzw, rig.rest_world_xyzw)
        rotations = quat.normalize(channels.seen_along(axes, turns))
        root = channels.root_of(table)
        placed = clip.root_m[:, None].astype(float), turns[:, :1]
        top = self._of_world(*placed, rig.rest_world_xyzw[:1], root, around.frames(first, len(clip)))
        rotations[:, :1] = top.rotations_xyzw
        locations: FloatArray = np.zeros((*turns.shape[:2], 3))
        locations[:, :1] = top.locations_bu
        return channels.Locals(rotations, locations, np.zeros(turns.shape[:2]))

    def _of_world(
        self,
        points: FloatArray,
        deltas: FloatArray,
        rest_xyzw: FloatArray,
        table: channels.BoneTable,
        here: outside.Surroundings,
    ) -> channels.Locals:
        """Channel values from places (T, J, 3) and turns from rest (T, J, 4) in the request's frame."""
        rig = self._rig
        world = rig.frame.world_xyzw(deltas.astype(float), rest_xyzw)
        object_xyzw, object_bu, scale = here.object_xyzw[:, None], here.object_bu[:, None], here.scale[:, None, None]
        back = quat.conj(object_xyzw)
        places: FloatArray = quat.rotate(back, rig.frame.points_bu(points.astype(float)) - object_bu) / scale
        turns: FloatArray = quat.mul(back, world)
        if self._rows is not None:
            turns, places = self._rows.of_joints(turns, places)
        tolerance_bu = _PLACE_TOLERANCE_M / (rig.frame.metres_per_bu * rig.scale)
        return channels.to_locals(table, turns, places, here.outside_xyzw, here.outside_bu, tolerance_bu)

    def _note_misses(self, table: channels.BoneTable, whole: channels.Locals) -> None:
        metres = self._rig.frame.metres_per_bu * self._rig.scale
        missed = whole.missed_bu.max(axis=0) * metres
        self.report.missed_m = {table.names[int(j)]: float(missed[j]) for j in np.flatnonzero(missed > 1e-4)}

    def _channels(
        self,
        table: channels.BoneTable,
        whole: channels.Locals,
        clip: Clip,
        written: set[str],
        kept: dict[Channel, Outside],
    ) -> Generator[None, None, list[Channels]]:
        """What is to be written, some bones a slice."""
        frames = self._frames(clip)
        todo: list[Channels] = []
        by_mode: dict[str, list[int]] = {}
        for j, mode in enumerate(table.modes):
            if table.names[j] in written:
                by_mode.setdefault(mode, []).append(j)
        for mode, joints in by_mode.items():
            prop, pace, at = rotation_prop(mode)[0], Pace(12), 0
            while at < len(joints):
                with pace.piece() as count:
                    some = joints[at : at + count]
                    values = channels.rotation_channels(mode, whole.rotations_xyzw[:, some])
                    batch = [Channels(table.names[j], prop, frames, values[:, n]) for n, j in enumerate(some)]
                    todo += [merge.joined(item, kept.get(Channel(item.bone, prop))) for item in batch]
                    at += count
                yield
        moved = sorted({0, *np.flatnonzero(whole.locations_bu.any(axis=(0, 2))).tolist()})
        places = [Channels(table.names[j], "location", frames, whole.locations_bu[:, j]) for j in moved]
        places = [item for item in places if item.bone in written]
        todo += [merge.joined(item, kept.get(Channel(item.bone, "location"))) for item in places]
        yield
        todo += self._rest(written, {item.bone for item in places}, frames, kept)
        yield
        return todo

    def _rest(
        self, written: set[str], moved: set[str], frames: NDArray[np.float32], kept: dict[Channel, Outside]
    ) -> list[Channels]:
        """Location and scale that no take writes: back at rest, in the take's range at least."""
        out = []
        resting = actions.leftovers(self._find(), sorted(written), moved, float(frames[0]))
        resting += actions.at_rest(self._find(), self._still, float(frames[0]))
        for item in resting:
            beside = kept.get(Channel(item.bone, item.prop))
            if beside is None:
                out.append(item)
                continue
            ends = frames[[0, -1]] if len(frames) > 1 else frames
            still = Channels(item.bone, item.prop, ends, np.repeat(item.values, len(ends), axis=0))
            out.append(merge.joined(still, beside))
        return out

    def _check_locks(self, table: channels.BoneTable, todo: list[Channels]) -> None:
        if self._options.ignore_locks:
            return
        bones = self._find().pose.bones
        locked = {c.bone for c in todo if _is_locked(bones[c.bone], c)}
        locked -= self._mechanism
        blockers.check_locked(self._find(), [n for n in table.names if n in locked])

    def _assign(self, found: Edits, moved: set[Channel]) -> None:
        """The one moment at which the armature changes."""
        armature, made = self._find(), self._begun()
        blockers.check_writable(armature)
        for name in self._rig.names:
            if name not in armature.data.bones:
                raise KeyError(name)
        data = armature.animation_data_create()
        source, _ = stamps.own_action(armature)
        for replaced in (source, records.edited_take(armature, found)):
            if replaced is not None:
                stamps.keep(armature, replaced)
        identity.tag(armature, self._rig.names)
        identity.also(armature, self.report.renamed)
        switches.remember(made, armature, self._hold)
        unkeyed.keep(armature, made, moved, adds=self._adds)
        if self._options.in_place:
            stamps.put_in_place(made)
        in_the_way = self.report.constraints
        if not self._options.mute_constraints:
            in_the_way = [c for c in in_the_way if c.bone in self._mechanism]
        self.report.muted = muted.mute(armature, in_the_way)
        if self._options.strips is None:
            compat.bind(data, made, actions.slot_in(made))
        else:
            first, last = (float(x) for x in made.frame_range)
            parts = self._options.strips or (strips.Part(self._options.name, first, last),)
            self.report.strips = strips.lay(armature, made, actions.slot_in(made), self._options.name, parts)
        # Blender evaluates what is new before it draws or is asked again; doing it here would hold it twice.
        armature.update_tag(refresh={"OBJECT", "DATA", "TIME"})
        self.report.action = made.name

    def _find(self) -> Any:
        found = rigs.find(self._rig, self._armature)
        if found is None:
            name = self._armature or self._rig.armature
            raise self._gone(f"{name!r} is gone; the result is kept as a take", change="deleted")
        return found

    def _gone(self, message: str, **details: Any) -> KineographError:
        name = self._armature or self._rig.armature
        at = where("character", name, name)
        return error(ErrorCode.RIG_CHANGED, message, {"where": at, "got": None, "take": self.report.take, **details})

    def _begun(self) -> Any:
        made = bpy.data.actions.get(self.report.action)  # most often: there may be thousands
        if stamps.take_of(made) != self.report.take:
            made = stamps.find_action(self.report.take)
        if made is None:
            raise error(
                ErrorCode.RIG_CHANGED,
                "the scene was undone or loaded while the take was being written; the result is kept",
                {"where": where("character", self._rig.armature, self._rig.armature), "got": None},
            )
        return made

    def _around(self) -> tuple[Any, Any, Any]:
        return self._find(), self._scene_now(), self._begun()

    def _scene_now(self) -> Any:
        return (bpy.data.scenes.get(self._scene) if self._scene else None) or bpy.context.scene


def _is_locked(bone: Any, channels_: Channels) -> bool:
    """Whether any locked channel would change, from what the bone shows now or over time."""
    match channels_.prop:
        case "location":
            locks = list(bone.lock_location)
        case "scale":
            locks = list(bone.lock_scale)
        case "rotation_euler":
            locks = list(bone.lock_rotation)
        case _:
            locks = [bone.lock_rotation_w and bone.lock_rotations_4d, *bone.lock_rotation]
    columns = [i for i, lock in enumerate(locks) if lock]
    if not columns:
        return False
    now = np.array(getattr(bone, channels_.prop), float)[columns]
    return bool((np.abs(channels_.values[:, columns] - now) > _LOCK_TOLERANCE).any())
