# SPDX-License-Identifier: Apache-2.0
"""Kineograph's lean core: errors, wire, client, motion, rigs, formats.

Imports the standard library, numpy, msgpack and pyzmq only, so that it runs inside Blender's own Python.
"""

__version__ = "0.1.0"
