# SPDX-License-Identifier: Apache-2.0
"""Shared parts of the benchmarks: a rig, a motion, clocks."""
