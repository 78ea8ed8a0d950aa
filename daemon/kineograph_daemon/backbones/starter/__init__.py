# SPDX-License-Identifier: Apache-2.0
"""``kineograph-starter``: a small trained model in the wheel, run in plain numpy."""
