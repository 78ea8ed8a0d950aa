# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_gui``."""

from __future__ import annotations

import sys

from kineograph_gui.app import main

sys.exit(main(sys.argv[1:]))
