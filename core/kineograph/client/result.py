# SPDX-License-Identifier: Apache-2.0
"""A finished job's motion, as a typed view of the arrays that came; nothing is copied until a clip is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kineograph.errors import ErrorCode, LinkError, RequestError
from kineograph.wire.messages import JobStatus

if TYPE_CHECKING:  # imported with the first result: most questions have none
    import numpy as np
    from numpy.typing import NDArray

    from kineograph.motion.clip import Clip
    from kineograph.motion.skeleton import Skeleton

    FloatArray = NDArray[np.floating[Any]]
    BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Result:
    """B samples of T frames for J joints; the arrays are read-only.

    ``rotations_xyzw`` (B, T, J, 4) local; ``root_m`` (B, T, 3) world; ``translations_m`` (B, T, J, 3) or None;
    ``contacts`` maps a joint's name to (B, T) booleans; ``report`` says what was applied, changed or ignored and by how
    much each constraint was missed; ``body`` is the whole answer.
    """

    job: JobStatus
    fps_hz: float
    joint_names: tuple[str, ...]
    rotations_xyzw: FloatArray
    root_m: FloatArray
    translations_m: FloatArray | None
    contacts: dict[str, BoolArray]
    report: dict[str, Any]
    provenance: dict[str, Any]
    notes: list[Any]
    body: dict[str, Any]

    @classmethod
    def from_body(cls, job: JobStatus, body: Mapping[str, Any]) -> Result:
        """From the ``arrays`` form of a result. Raises ``bad_response`` when shapes do not fit together."""
        import numpy as np

        try:
            names = tuple(map(str, body["joint_names"]))
            rotations = np.asarray(body["rotations_xyzw"])
            root = np.asarray(body["root_m"])
            translations = body.get("translations_m")
            result = cls(
                job=job,
                fps_hz=float(body["fps_hz"]),
                joint_names=names,
                rotations_xyzw=rotations,
                root_m=root,
                translations_m=None if translations is None else np.asarray(translations),
                contacts={str(k): np.asarray(v) for k, v in (body.get("contacts") or {}).items()},
                report=dict(body.get("report") or {}),
                provenance=dict(body.get("provenance") or {}),
                notes=list(body.get("notes") or []),
                body=dict(body),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            raise LinkError(ErrorCode.BAD_RESPONSE, f"the result does not fit: {type(e).__name__}: {e}") from None
        result._check()
        return result

    def _check(self) -> None:
        b, t = self.root_m.shape[:2] if self.root_m.ndim == 3 else (-1, -1)
        j, translations = len(self.joint_names), self.translations_m
        if self.root_m.shape == (b, t, 3) and self.rotations_xyzw.shape == (b, t, j, 4) and translations is None:
            return
        wanted = {"root_m": (b, t, 3), "rotations_xyzw": (b, t, j, 4), "translations_m": (b, t, j, 3)}
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise LinkError(
                    ErrorCode.BAD_RESPONSE,
                    f"the result's {name} has shape {list(array.shape)}",
                    {"got": list(array.shape), "allowed": list(shape)},
                )

    @property
    def samples(self) -> int:
        """B."""
        return int(self.root_m.shape[0])

    @property
    def frames(self) -> int:
        """T."""
        return int(self.root_m.shape[1])

    @property
    def keys(self) -> dict[str, dict[str, list[int]]] | None:
        """The frames worth keying by joint name and ``rotation`` or ``translation``, where the request had a
        ``keyframe_budget``; None: all of them."""
        thinned = self.body.get("keyframes")
        return {self.joint_names[int(joint)]: channels for joint, channels in thinned.items()} if thinned else None

    def clip(self, sample: int = 0, skeleton: Skeleton | None = None) -> Clip:
        """One sample as a clip on ``skeleton``, which must have the request's joints in any order.

        Without a skeleton, the one of the answer is used if it came with one. Raises ``invalid_parameters`` for a
        sample that does not exist and ``unknown_joint`` for a skeleton with other joints.
        """
        from kineograph.motion.clip import Clip

        if not -self.samples <= sample < self.samples:
            raise RequestError(
                ErrorCode.INVALID_PARAMETERS,
                f"there is no sample {sample}, the result has {self.samples}",
                {"got": sample, "allowed": [0, self.samples - 1]},
            )
        target = skeleton if skeleton is not None else self._own_skeleton()
        order = self._order(target)
        translations = self.translations_m
        return Clip(
            skeleton=target,
            fps_hz=self.fps_hz,
            rotations_xyzw=self.rotations_xyzw[sample][:, order],
            root_m=self.root_m[sample],
            name=self.job.label or self.job.prompt,
            translations_m=None if translations is None else translations[sample][:, order],
            contacts={name: value[sample] for name, value in self.contacts.items()},
        )

    def _own_skeleton(self) -> Skeleton:
        from kineograph.motion.skeleton import Skeleton

        mine = self.body.get("skeleton")
        if not isinstance(mine, Mapping):
            raise RequestError(ErrorCode.INVALID_PARAMETERS, "this result came without a skeleton; name the one to use")
        return Skeleton.from_mmcp(mine)

    def _order(self, target: Skeleton) -> list[int] | slice:
        if target.names == self.joint_names:
            return slice(None)
        index = {name: i for i, name in enumerate(self.joint_names)}
        missing = [name for name in target.names if name not in index]
        if missing:
            raise RequestError(
                ErrorCode.UNKNOWN_JOINT,
                f"the result has no joint {missing[0]!r}",
                {"got": missing, "allowed": list(self.joint_names)},
            )
        return [index[name] for name in target.names]
