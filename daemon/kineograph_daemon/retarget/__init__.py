# SPDX-License-Identifier: Apache-2.0
"""Motion from one rig to another: rest poses matched, turns carried over, travel scaled, feet held.

Pure functions of arrays: no file, no socket, no torch. ``retarget`` is the whole algorithm; ``retarget_with_report``
is what files and folders call, from any process.
"""

from kineograph_daemon.retarget.options import Options, Rest, RootPolicy
from kineograph_daemon.retarget.reported import RetargetReport, retarget_with_report
from kineograph_daemon.retarget.run import Result, retarget

__all__ = ["Options", "Rest", "Result", "RetargetReport", "RootPolicy", "retarget", "retarget_with_report"]
