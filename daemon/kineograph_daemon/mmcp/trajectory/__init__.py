# SPDX-License-Identifier: Apache-2.0
"""The travel of a motion: the path it moves along, so that a game can take exactly that out and play it in place.

The answers are the official SDK's (``motionmcp.trajectory``), within its own tolerances, at a fraction of the time:
only the joints that tell something about the travel are posed, all samples at once, and what the SDK does frame by
frame is done over arrays. Ground positions are complex numbers ``z + ix``, metres: their angle is a heading (0 faces
+Z, positive turns +Z towards +X), multiplying turns, and one array holds both coordinates.
"""

from kineograph_daemon.mmcp.trajectory.travel import compute

__all__ = ["compute"]
