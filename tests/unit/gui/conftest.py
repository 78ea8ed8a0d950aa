# SPDX-License-Identifier: Apache-2.0
"""The panel's model without a window system: signals work without an application."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
