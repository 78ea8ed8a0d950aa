# SPDX-License-Identifier: Apache-2.0
"""From the command line's files and words to an MMCP request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from kineograph import formats
from kineograph.errors import ErrorCode, RequestError, SceneError
from kineograph.motion.clip import Clip
from kineograph.motion.rest import align, align_clip
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.version import MMCP_VERSION

DEFAULT_SECONDS = 4.0
DEFAULT_FPS_HZ = 30.0


@dataclass(frozen=True)
class Ask:
    """What the command line says."""

    rig: Path | None = None
    prompts: Sequence[str] = ()
    seconds: Sequence[float] = ()
    constraints: Path | None = None
    keys: Path | None = None
    key_frames: Sequence[int] = ()
    samples: int = 1
    seed: int | None = None
    fps_hz: float | None = None
    model: str | None = None
    loop: bool = False
    options: Sequence[str] = ()
    request: Path | None = None


@dataclass(frozen=True)
class Built:
    """A request ready to send; ``rig`` is the file's own skeleton (its rest rotations come back in the files)."""

    request: dict[str, Any]
    rig: Skeleton | None = None
    refs: dict[str, Any] = field(default_factory=dict)
    character: str = ""
    file: Path | None = None
    """The rig's file where it has a mesh that a result can keep."""
    source: Path | None = None
    """The rig's file."""

    def saved(self) -> dict[str, Any]:
        """As it is kept in a ``.kineograph.json``."""
        return {"kineograph": 1, "character": self.character, "request": self.request, "refs": self.refs}


def build(ask: Ask) -> Built:
    """The request that ``ask`` describes. Raises file errors naming the file, and ``typer.BadParameter``."""
    if ask.request is not None:
        return _saved(ask)
    if ask.rig is None:
        raise typer.BadParameter("Your character is needed: --rig FILE (.glb, .bvh, .fbx, ...), or --request FILE.")
    if ask.key_frames and (ask.keys is None or ask.keys.suffix.lower() == ".json"):
        raise typer.BadParameter("--key-frame picks frames of a clip: give one as --keys FILE (.bvh, .glb).")
    asset = formats.load(ask.rig)
    fps_hz = ask.fps_hz or (asset.clips[0].fps_hz if asset.clips else DEFAULT_FPS_HZ)
    segments = _segments(ask, fps_hz)
    constraints = [*_keys(ask, asset.skeleton, fps_hz), *_constraints(ask.constraints)]
    request: dict[str, Any] = {
        "protocol_version": MMCP_VERSION,
        "model": ask.model or "",
        "skeleton": align(asset.skeleton).to_mmcp(),
        "segments": segments,
        "constraints": constraints,
        "timing": {"fps": fps_hz},
        "options": _options(ask),
    }
    file = ask.rig if formats.has_mesh(ask.rig) else None
    return Built(request, asset.skeleton, character=ask.rig.stem, file=file, source=ask.rig)


def read_json(path: Path) -> Any:
    """A JSON file, or a file error that names the line."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))  # editors of Windows begin a file with a mark
    except json.JSONDecodeError as e:
        raise SceneError(
            ErrorCode.FILE_UNREADABLE,
            f"'{path}' is not valid JSON: line {e.lineno}: {e.msg}",
            {"file": str(path), "line": e.lineno, "reason": f"it is no JSON there ({e.msg})"},
        ) from None
    except UnicodeDecodeError as e:
        raise _unreadable(path, "it is no text in UTF-8", offset=e.start) from None
    except RecursionError:
        raise _unreadable(path, "its lists are nested too deeply") from None
    except (OSError, ValueError) as e:  # ValueError: a whole number of thousands of digits, a NUL in the path
        raise _unreadable(path, getattr(e, "strerror", None) or str(e)) from None


def _unreadable(path: Path, reason: str, **details: Any) -> SceneError:
    return SceneError(
        ErrorCode.FILE_UNREADABLE,
        f"'{path}' cannot be read: {reason}",
        {"file": str(path), "reason": reason, **details},
    )


def _saved(ask: Ask) -> Built:
    assert ask.request is not None
    beside = {"--rig": ask.rig, "--prompt": ask.prompts, "--seconds": ask.seconds, "--fps": ask.fps_hz,
              "--constraints": ask.constraints, "--keys": ask.keys, "--key-frame": ask.key_frames}  # fmt: skip
    if told := [name for name, value in beside.items() if value]:
        raise typer.BadParameter(f"--request brings its own rig, prompts and constraints: leave out {', '.join(told)}.")
    loaded = read_json(ask.request)
    request = loaded.get("request", loaded) if isinstance(loaded, dict) else None
    if not isinstance(request, dict):
        raise _unreadable(ask.request, "it holds no request")
    request = dict(request)
    if ask.model:
        request["model"] = ask.model
    changed = _options(ask)
    if changed:
        own = request.get("options")
        request["options"] = {**(own if isinstance(own, dict) else {}), **changed}
    request.setdefault("model", "")
    refs = loaded.get("refs")
    return Built(
        request,
        refs=dict(refs) if isinstance(refs, dict) else {},
        character=str(loaded.get("character") or ask.request.stem),
    )


def _segments(ask: Ask, fps_hz: float) -> list[dict[str, Any]]:
    lengths = list(ask.seconds) or [DEFAULT_SECONDS]
    count = max(len(ask.prompts), len(lengths), 1)
    if len(lengths) == 1:
        lengths *= count
    if len(lengths) != count or (ask.prompts and len(ask.prompts) != count):
        raise typer.BadParameter(
            f"{len(ask.prompts)} prompts and {len(ask.seconds)} lengths: give one --seconds for all, or one a --prompt."
        )
    out: list[dict[str, Any]] = []
    for i, seconds in enumerate(lengths):
        frames = max(round(seconds * fps_hz), 1)
        if ask.prompts:
            out.append({"type": "text", "prompt": ask.prompts[i], "duration_frames": frames})
        else:
            out.append({"type": "unconditioned", "duration_frames": frames})
    return out


def _options(ask: Ask) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if ask.samples != 1:
        out["num_samples"] = ask.samples
    if ask.seed is not None:
        out["seed"] = ask.seed
    if ask.loop:
        out["loop"] = True
    for item in ask.options:
        name, separator, text = item.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"--option takes NAME=VALUE, got {item!r}.")
        out[name] = _value(text)
    return out


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _constraints(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    loaded = read_json(path)
    items = loaded.get("constraints") if isinstance(loaded, Mapping) else loaded
    if not isinstance(items, list):
        raise _unreadable(path, "it holds no list of constraints", got=type(items).__name__)
    return items


def _keys(ask: Ask, rig: Skeleton, fps_hz: float) -> list[dict[str, Any]]:
    """Pose keys from a JSON list, or from a clip on the same rig: the frames named, else its first and last, each at
    its own time on the request's frames."""
    if ask.keys is None:
        return []
    if ask.keys.suffix.lower() == ".json":
        return _constraints(ask.keys)
    asset = formats.load(ask.keys)
    if not asset.clips:
        raise _unreadable(ask.keys, "it has no motion to take keys from")
    clip = align_clip(asset.clips[0])
    unknown = [n for n in clip.skeleton.names if n not in rig.index]
    if len(unknown) == len(clip.skeleton):
        raise SceneError(
            ErrorCode.MAP_INCOMPLETE,
            f"'{ask.keys.name}' shares no joint name with the rig",
            {"file": str(ask.keys), "got": unknown[:6]},
        )
    frames = list(ask.key_frames) or [0, len(clip) - 1]
    return [_key_of(clip, f, rig, ask.keys, fps_hz) for f in frames]


def _key_of(clip: Clip, frame: int, rig: Skeleton, path: Path, fps_hz: float) -> dict[str, Any]:
    if not 0 <= frame < len(clip):
        raise RequestError(
            ErrorCode.FRAME_OUT_OF_RANGE,
            f"'{path.name}' has frames 0 to {len(clip) - 1}, key {frame} was asked for",
            {"frame": frame, "total_frames": len(clip)},
        )
    pose = clip.rotations_xyzw[frame]
    return {
        "type": "pose_keyframe",
        "frame": round(frame * fps_hz / clip.fps_hz),
        "joint_rotations": {
            n: [float(v) for v in pose[i]] for i, n in enumerate(clip.skeleton.names) if n in rig.index
        },
        "root_position": [float(v) for v in clip.root_m[frame]],
    }
