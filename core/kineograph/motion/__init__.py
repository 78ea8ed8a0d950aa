# SPDX-License-Identifier: Apache-2.0
"""Motion maths: quaternions, skeletons, kinematics, clips, and what is done to them.

``quat`` and ``euler`` are rotations, ``skeleton``, ``kinematics`` and ``clip`` what they move; ``rest`` aligns rest
poses with the world, ``axes`` turns up axes and units, ``resample`` changes frame rates, ``travel`` takes the way
apart from the body, ``body`` has points that stand for a whole body, ``thin`` leaves out keys.
"""

from kineograph.motion import axes, body, euler, kinematics, quat, resample, rest, thin, travel
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

__all__ = [
    "Clip",
    "Skeleton",
    "axes",
    "body",
    "euler",
    "kinematics",
    "quat",
    "resample",
    "rest",
    "thin",
    "travel",
]
