# SPDX-License-Identifier: Apache-2.0
"""Numbers that are finite and beyond every scene: told by their place, and not as a failure of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.errors import KineographError
from kineograph.fixes import resolve

HUMAN = rigs.human()
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def far(number: float) -> dict[str, Any]:
    """Constraints by the place of the number in them."""
    away = [number, 0.0, 0.0]
    return {
        "root_position": asks.key(HUMAN, 5, {}, away),
        "joint_rotations": asks.key(HUMAN, 5, {"Head": [number, 0.0, 0.0, 1.0]}),
        "positions_xz": asks.path([0, 19], [[0.0, 0.0], away[:2]]),
        "positions": asks.target("LeftHand", [9], [away]),
        "points": asks.ground([away, [0.0, 0.1, 0.0]]),
    }


@pytest.mark.parametrize("name", sorted(far(0.0)))
@pytest.mark.parametrize("number", [1e30, 1e160, -1.7e308])
def test_a_number_beyond_every_scene_is_named_or_does_no_harm(name: str, number: float) -> None:
    asked = asks.request(HUMAN, 20, [asks.key(HUMAN, 0), far(number)[name]])
    out = _made(asked)
    if isinstance(out, KineographError):
        assert out.code == "schema_validation"
        assert out.details["where"]["path"][:3] == ["constraints", 1, name]
        assert out.details["got"] == number
        assert resolve(out, {"request": asked.model_dump()}).text
    else:
        assert np.isfinite(out.rotations_xyzw).all()
        assert np.isfinite(out.root_m).all()


def _made(asked: Any) -> Any:
    try:
        return asks.run(asked)
    except KineographError as e:
        return e


def test_what_fails_for_another_reason_stays_the_models_fault() -> None:
    class Broken(asks.InterpolateBackbone):
        def generate_with_hooks(self, request: Any, hooks: Any) -> Any:
            raise ValueError("boom")

    with pytest.raises(KineographError) as caught:
        asks.run(asks.request(HUMAN, 20, [asks.key(HUMAN, 0)]), Broken())
    assert caught.value.code == "internal_error"
