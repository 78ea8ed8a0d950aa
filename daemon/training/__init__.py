# SPDX-License-Identifier: Apache-2.0
"""Training of ``kineograph-starter``. Not part of the wheel: it needs torch, and motion that nobody ships."""
