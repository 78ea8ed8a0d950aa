# SPDX-License-Identifier: Apache-2.0
"""``python -m kineograph_daemon.http CONFIG``: the door's process. The daemon starts it."""

from __future__ import annotations

import sys

from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.serve import run

if __name__ == "__main__":
    sys.exit(run(DoorConfig.from_json(sys.argv[1])))
