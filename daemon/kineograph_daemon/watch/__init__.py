# SPDX-License-Identifier: Apache-2.0
"""The directory watcher: a client of the daemon like any other. Nothing of the rest of the daemon is imported here.

``state`` decides, without I/O: what was seen goes in, what to do comes out. ``ledger`` remembers, ``scan`` looks,
``carry`` does one file onto one rig through the daemon, ``runner`` ties them together.
"""
