# SPDX-License-Identifier: Apache-2.0
"""Models of MMCP servers elsewhere, as if they were here: our queue, fixes, retries and retargeting on top.

What leaves this computer is one MMCP request on the model's own skeleton, and nothing else (``outgoing``).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kineograph.errors import ErrorCode, RequestError

if TYPE_CHECKING:
    from motionmcp.backbone import Backbone


def remotes(entries: Sequence[str] | None = None) -> dict[str, Backbone]:
    """Every model of every configured remote. Raises ``invalid_parameters`` for a wrong setting or no library."""
    if importlib.util.find_spec("httpx") is None:
        details = {"where": {"path": ["remotes"]}, "got": "no httpx", "allowed": "kineograph[remote]"}
        raise RequestError(
            ErrorCode.INVALID_PARAMETERS, "remote models need httpx: install kineograph[remote]", details
        )
    from kineograph_daemon.backbones.remote import known

    return known.remotes(entries)
