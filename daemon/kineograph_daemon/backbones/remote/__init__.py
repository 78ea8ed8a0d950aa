# SPDX-License-Identifier: Apache-2.0
"""Models of MMCP servers elsewhere, as if they were here: our queue, fixes, retries and retargeting on top.

What leaves this computer is one MMCP request on the model's own skeleton, and nothing else (``outgoing``).
"""

from kineograph_daemon.backbones.remote.backbone import RemoteBackbone
from kineograph_daemon.backbones.remote.known import remotes

__all__ = ["RemoteBackbone", "remotes"]
