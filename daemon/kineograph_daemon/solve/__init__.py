# SPDX-License-Identifier: Apache-2.0
"""Constraints met on the user's own skeleton (keys, path, targets, ground, planted feet), and the report."""
