# SPDX-License-Identifier: Apache-2.0
"""How limbs come to their targets and leave them: round the shoulder, the trunk leaning straight, the hips where they
are unless going down helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.solve.body import read_body

HUMAN, DOG, SPARSE = rigs.human(), rigs.quadruped(), rigs.sparse()


def walked(skeleton: Skeleton, joint: str, frames: list[int], offset: tuple[float, float, float]) -> Any:
    """A walk straight ahead with a joint pinned ``offset`` (leg lengths) from where it would be at rest."""
    size, start = read_body(skeleton).size_m, skeleton.rest_positions_m[skeleton.root]
    place = skeleton.rest_positions_m[skeleton.index[joint]] + size * np.add(offset, [0.0, 0.0, 3.0])
    way = asks.path([0, 149], [start[[0, 2]], start[[0, 2]] + [0.0, 6 * size]])
    asked = asks.request(skeleton, 150, [way, asks.target(joint, frames, [place] * len(frames))], fps=24.0)
    return asked, asks.run(asked)


def turned_deg(out: Any, joints: list[int]) -> float:
    q = out.rotations_xyzw[0][:, joints].astype(float)
    return float(np.degrees(quat.angle_between_rad(q[1:], q[:-1]).max()))


@pytest.mark.parametrize(
    ("skeleton", "joint", "most_deg"),
    [(HUMAN, "RightHand", 32), (SPARSE, "RightHand", 32), (DOG, "LeftCarpus", 42)],
    ids=["human", "sparse", "dog"],
)
def test_a_limb_comes_round_its_top_to_what_lies_far_out_of_reach(
    skeleton: Skeleton, joint: str, most_deg: float
) -> None:
    """Straight across to there it would pass its own shoulder, with an elbow that turns by 64 degrees a frame."""
    asked, out = walked(skeleton, joint, [75], (-0.5, 1.5, 1.5))
    limb = next(v for v in read_body(skeleton).limbs.values() if skeleton.names[v.end] == joint)
    trunk = [j for j in skeleton.chain(limb.top) if j != skeleton.root]
    assert turned_deg(out, [*trunk, limb.hinge]) < most_deg
    assert "out of reach" in out.report["constraints"][1]["reason"]
    at, _ = asks.world(asked, out)
    aim = np.array(asked.constraints[1].positions[0]) - at[75, limb.top]
    along = at[75, limb.end] - at[75, limb.top]
    assert along @ aim / np.linalg.norm(aim) > 0.98 * limb.reach_m, "stretched towards it"


def test_nobody_goes_down_for_what_lies_aside() -> None:
    """A hand held out at the height of the shoulder, further than the arm is long: hips stay, the trunk leans."""
    asked, out = walked(HUMAN, "RightHand", list(range(70, 81)), (-0.05, -0.25, 0.1))
    assert out.report["constraints"][1]["outcome"] == "applied"
    assert out.root_m[0, :, 1].min() > 0.9
    arm = read_body(HUMAN).limbs[HUMAN.index["RightHand"]]
    assert turned_deg(out, [arm.top, arm.hinge]) < 25
    at, _ = asks.world(asked, out)
    assert np.linalg.norm(at[75, HUMAN.index["RightHand"]] - np.array(asked.constraints[1].positions[5])) < 0.005


def test_a_paw_on_its_way_to_a_target_does_not_dip_into_the_ground() -> None:
    _, out = walked(DOG, "LeftCarpus", list(range(70, 81)), (-0.05, 0.15, 0.1))
    assert out.report["quality"][0]["penetration_cm"] < 0.5
