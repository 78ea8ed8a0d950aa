# SPDX-License-Identifier: Apache-2.0
"""A backbone whose module takes its time to import, as those of large models do."""

from __future__ import annotations

import os
import time

from tests.fakes.backbones import Fake

from kineograph_daemon.workers.link import TOKEN_ENV

time.sleep(float(os.environ.get("KINEOGRAPH_FAKE_IMPORT_S", "0")))


class Late(Fake):
    """Late, then like any other."""

    model = "late"


class TellsToken(Late):
    """Says what it finds of the worker's token in its environment."""

    about = f"token: {os.environ.get(TOKEN_ENV, 'none')}"
