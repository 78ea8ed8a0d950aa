# SPDX-License-Identifier: Apache-2.0
"""A character of the project's own and a short scene for it: keyed steps, a drawn path, a hand on a target."""

from kineograph.demo.character import character
from kineograph.demo.scene import refs, request

__all__ = ["character", "refs", "request"]
