# SPDX-License-Identifier: Apache-2.0
"""The desktop panel: the queue, the problems and their fixes, the motion, new jobs."""
