# SPDX-License-Identifier: Apache-2.0
"""A model with a skeleton of its own behind a real daemon: people's rigs come back moved, animals are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, canonical, rigs, test_rigs
from tests.integration.daemon.conftest import House, wait_until

from kineograph.errors import ErrorCode, RequestError
from kineograph.fixes import resolve
from kineograph.motion.rest import align


def body(rig: Any, constraints: list[Any]) -> dict[str, Any]:
    asked = asks.request(rig, 45, constraints, model="walker")
    return asked.model_dump(mode="json", exclude_unset=True)


def test_any_rig_of_a_person_and_no_animal(make_house: Callable[..., House]) -> None:
    house = make_house("--backbone", "tests.fakes.canonical:everything", "--backbone", "kineograph-interpolate")
    house.wait_for_workers()
    client = house.client()
    wait_until(lambda: len(client.capabilities().mmcp["models"]) > 2)
    models = {m["id"]: m for m in client.capabilities().mmcp["models"]}
    assert models["walker"]["supports_retargeting"] is True
    for rig in (align(test_rigs.mixamo65()), align(canonical.metarig())):
        root = rig.rest_positions_m[rig.root]
        keys = [asks.key(rig, 0, root=root), asks.key(rig, 44, root=root + np.array([0.0, 0.0, 1.2]))]
        result = client.generate(body(rig, keys), timeout_s=60)
        assert result.rotations_xyzw.shape == (1, 45, len(rig), 4)
        assert [c["outcome"] for c in result.report["constraints"]] == ["applied", "applied"]
        assert result.report["mapping"]["joints"]
    with pytest.raises(RequestError) as caught:
        client.generate(body(rigs.quadruped(), []), timeout_s=60)
    assert caught.value.code is ErrorCode.RETARGETING_UNSUPPORTED
    assert "kineograph-interpolate" in caught.value.details["suggestions"]
    problem = resolve(caught.value)
    assert "has no arms" in problem.text
    assert "switch_model" in [fix.id for fix in problem.fixes]
