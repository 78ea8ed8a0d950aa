# SPDX-License-Identifier: Apache-2.0
"""Motion maths: quaternions, skeletons, kinematics, clips."""
