# SPDX-License-Identifier: Apache-2.0
"""Whatever a backbone puts into its error's details: the job's end arrives, and can be kept."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from motionmcp.errors import ProtocolError

from kineograph.errors import ErrorCode, error
from kineograph_daemon.workers import failures, link

DETAILS = [
    ({"at": np.zeros(3)}, {"at": [0.0, 0.0, 0.0]}),
    ({"at": [{"q": np.array([[1.0, np.nan]])}]}, {"at": [{"q": [[1.0, None]]}]}),
    ({"all": np.zeros((300, 77, 4), np.float32)}, {"all": "float32 numbers of shape (300, 77, 4)"}),
    ({"one": np.float32(2.0), "half": np.zeros(1, np.float16)}, {"one": 2.0, "half": [0.0]}),
    ({"objects": np.array([object], dtype=object)}, {"objects": [str(object)]}),
    ({3: np.array("text")}, {"3": "text"}),
]


@pytest.mark.parametrize(("details", "told"), DETAILS)
def test_an_errors_arrays_become_numbers(details: dict[Any, Any], told: dict[str, Any]) -> None:
    for raised in (ProtocolError("invalid_options", "no", details), error(ErrorCode.INVALID_OPTIONS, "no", details)):
        envelope = failures.describe(raised, "m").to_envelope()
        frames = link.pack(link.TaskFailed("j", envelope))
        assert len(frames) == 1
        arrived = link.unpack(frames).message
        assert told.items() <= arrived.error["error"]["details"].items()
        msgpack.packb(arrived.error)
