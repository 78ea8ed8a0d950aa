# SPDX-License-Identifier: Apache-2.0
"""The HTTP door: MMCP over HTTP for everybody else's clients. One more client of the queue, in a process of its own.

``config`` and ``process`` are the daemon's side and import no web server; everything else runs in the door's process.
"""
