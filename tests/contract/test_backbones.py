# SPDX-License-Identifier: Apache-2.0
"""One contract for every backbone that is registered: whatever it makes, these hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from motionmcp import Backbone, ModelSpec
from tests.fakes import asks
from tests.fakes.asks import Hooks

from kineograph.motion import kinematics, quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon import pipeline
from kineograph_daemon.backbones.base import extras_of
from kineograph_daemon.backbones.registry import discover, load_all
from kineograph_daemon.mmcp.validate import ModelEntry, check_request
from kineograph_daemon.pipeline import JobResultData, Stopped

FOUND = {m: f for m, f in load_all(discover()).items() if f.backbone is not None and f.spec is not None}


@pytest.fixture(params=sorted(FOUND))
def hosted(request: pytest.FixtureRequest) -> tuple[Backbone, ModelSpec]:
    found = FOUND[request.param]
    assert found.backbone is not None
    assert found.spec is not None
    return found.backbone, found.spec


def canonical(spec: ModelSpec) -> Skeleton:
    return Skeleton.from_mmcp(spec.canonical_skeleton.model_dump())


def made(hosted: tuple[Backbone, ModelSpec], frames: int, constraints: Any = (), **more: Any) -> JobResultData:
    """Checked at the door as a client's request is, then run."""
    backbone, spec = hosted
    asked = asks.request(canonical(spec), frames, constraints, model=spec.id, **more)
    checked = check_request(asked.model_dump(mode="json", exclude_unset=True), 1000, {spec.id: ModelEntry(spec, None)})
    return pipeline.run_one(checked, backbone, spec, Hooks())


def bent(skeleton: Skeleton) -> dict[str, Any]:
    """Every joint a little off its rest."""
    rng = np.random.default_rng(1)
    turn = quat.from_rotvec(rng.normal(scale=0.1, size=(len(skeleton), 3)))
    return dict(zip(skeleton.names, quat.mul(skeleton.rest_rotations_xyzw, turn), strict=True))


def test_at_least_the_interpolation_is_registered() -> None:
    assert "kineograph-interpolate" in FOUND


def test_capabilities_hold_together(hosted: tuple[Backbone, ModelSpec]) -> None:
    backbone, spec = hosted
    assert extras_of(backbone)["text"] in ("ignored", "weak", "full")
    assert {"text", "unconditioned"} <= set(spec.supported_segments)
    assert set(spec.supported_constraints) >= {"root_path", "effector_target", "pose_keyframe", "ground_height"}
    assert spec.supports_keyframe_reduction
    names = [o.name for o in spec.model_options]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_the_motion_has_what_was_asked_for(hosted: tuple[Backbone, ModelSpec], fps: float) -> None:
    out = made(hosted, 31, fps=fps, num_samples=2, seed=3)
    joints = len(canonical(hosted[1]))
    assert out.rotations_xyzw.shape == (2, 31, joints, 4)
    assert out.rotations_xyzw.dtype == out.root_m.dtype == np.float32
    assert np.isfinite(out.rotations_xyzw).all()
    np.testing.assert_allclose(np.linalg.norm(out.rotations_xyzw, axis=-1), 1.0, atol=1e-5)
    assert out.fps_hz == fps


def test_keys_are_sacred(hosted: tuple[Backbone, ModelSpec]) -> None:
    skeleton = canonical(hosted[1])
    root = skeleton.rest_positions_m[skeleton.root] + [0.2, 0.0, 0.4]
    pose = bent(skeleton)
    out = made(hosted, 50, [asks.key(skeleton, 33, pose, root)], num_samples=2, seed=1)
    wanted = np.array([pose[n] for n in skeleton.names])
    for b in range(2):
        miss = quat.angle_between_rad(out.rotations_xyzw[b, 33].astype(float), wanted)
        assert np.degrees(miss.max()) < 0.1
        assert np.linalg.norm(out.root_m[b, 33] - root) < 0.001


def test_a_path_and_its_heading_are_met(hosted: tuple[Backbone, ModelSpec]) -> None:
    skeleton = canonical(hosted[1])
    out = made(hosted, 50, [asks.path([0, 25, 49], [[0, 0], [0.5, 0.5], [1, 1]], [0.0, 0.5, np.pi / 2])])
    np.testing.assert_allclose(out.root_m[0, [0, 25, 49]][:, [0, 2]], [[0, 0], [0.5, 0.5], [1, 1]], atol=0.001)
    turned = quat.mul(
        out.rotations_xyzw[0, 49, skeleton.root].astype(float), quat.conj(skeleton.rest_rotations_xyzw[0])
    )
    assert quat.heading_rad(turned) == pytest.approx(np.pi / 2, abs=0.002)


def test_a_target_in_reach_is_met(hosted: tuple[Backbone, ModelSpec]) -> None:
    skeleton = canonical(hosted[1])
    free = made(hosted, 40, seed=2)
    at, _ = kinematics.forward(skeleton, free.rotations_xyzw[0].astype(float), free.root_m[0].astype(float))
    deep = max(range(len(skeleton)), key=lambda j: len(skeleton.chain(j)))
    wanted = 0.9 * at[20, deep] + 0.1 * at[20, skeleton.root]
    out = made(hosted, 40, [asks.target(skeleton.names[deep], [20], [wanted])], seed=2)
    assert out.report["constraints"][0]["worst_cm"] < 0.5


def test_the_same_seed_gives_the_same_motion(hosted: tuple[Backbone, ModelSpec]) -> None:
    a, b = (made(hosted, 30, num_samples=2, seed=9) for _ in range(2))
    np.testing.assert_array_equal(a.rotations_xyzw, b.rotations_xyzw)
    np.testing.assert_array_equal(a.root_m, b.root_m)
    assert np.abs(a.rotations_xyzw[0] - a.rotations_xyzw[1]).max() > 1e-3


def test_every_declared_dial_takes_its_default(hosted: tuple[Backbone, ModelSpec]) -> None:
    sent = {o.name: o.default for o in hosted[1].model_options}
    if not sent:
        pytest.skip("this model declares no dials")
    plain, told = made(hosted, 30, seed=1), made(hosted, 30, seed=1, model_options=sent)
    np.testing.assert_array_equal(plain.rotations_xyzw, told.rotations_xyzw)


def test_it_can_be_stopped(hosted: tuple[Backbone, ModelSpec]) -> None:
    backbone, spec = hosted
    asked = asks.request(canonical(spec), 30, model=spec.id, num_samples=4, seed=1)
    with pytest.raises(Stopped):
        pipeline.run_one(asked, backbone, spec, Hooks(stop_after=1))


def test_the_report_covers_everything_asked(hosted: tuple[Backbone, ModelSpec]) -> None:
    skeleton = canonical(hosted[1])
    out = made(hosted, 30, [asks.key(skeleton, 3), asks.path([5], [[0, 0.1]])], seed=4, keyframe_budget=0.01)
    assert len(out.report["segments"]) == 1
    assert [c["type"] for c in out.report["constraints"]] == ["pose_keyframe", "root_path"]
    assert {o["name"] for o in out.report["options"]} == {"seed", "keyframe_budget"}
    for entry in [*out.report["segments"], *out.report["constraints"], *out.report["options"]]:
        assert entry["outcome"] in ("applied", "changed", "ignored")
        assert entry["outcome"] == "applied" or entry["reason"]
    assert len(out.report["quality"]) == 1
    assert out.keyframes
