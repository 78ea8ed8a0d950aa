# SPDX-License-Identifier: Apache-2.0
"""The daemon's own fixtures, for the watcher's tests."""

from tests.integration.daemon.conftest import make_house

__all__ = ["make_house"]
