# SPDX-License-Identifier: Apache-2.0
"""``kineograph-interpolate``: motion from keys and paths alone, on any skeleton, without weights."""

from kineograph_daemon.backbones.interpolate.backbone import InterpolateBackbone

__all__ = ["InterpolateBackbone"]
