# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_daemon.backbones.remote set|remove|check URL``: tokens, behind ``kineograph models token``."""

from __future__ import annotations

import sys

from kineograph_daemon.backbones.remote.tokens import main

if __name__ == "__main__":
    sys.exit(main())
