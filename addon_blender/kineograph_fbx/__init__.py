# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that reads and writes FBX: run by a Python that has ``bpy``, or by Blender, and imported by nobody.

Kineograph itself starts it as a process of its own and talks to it in lines of JSON.
"""
