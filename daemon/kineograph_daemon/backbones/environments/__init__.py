# SPDX-License-Identifier: Apache-2.0
"""Models in Python environments of their own, so that their packages never meet ours.

A recipe names the Python, the packages, the licence and the size; ``make`` builds the environment from it, ``check``
says what is missing, ``installed`` tells the daemon which workers to start with which Python.
"""

from kineograph_daemon.backbones.environments.ready import Installed, installed

__all__ = ["Installed", "installed"]
