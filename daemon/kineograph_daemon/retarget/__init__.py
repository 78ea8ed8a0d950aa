# SPDX-License-Identifier: Apache-2.0
"""Motion from one rig to another: rest poses matched, turns carried over, travel scaled, feet held."""

from kineograph_daemon.retarget.options import Options, Rest, RootPolicy
from kineograph_daemon.retarget.run import Result, retarget

__all__ = ["Options", "Rest", "Result", "RootPolicy", "retarget"]
