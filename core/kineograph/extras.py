# SPDX-License-Identifier: Apache-2.0
"""Optional parts: how somebody adds one."""

from __future__ import annotations

import sys


def install_line(extra: str) -> str:
    """The command that adds an optional part to this very Python, for any shell."""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable or "python"
    return f'{python} -m pip install "kineograph[{extra}]"'
