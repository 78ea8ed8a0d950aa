# SPDX-License-Identifier: Apache-2.0
"""Sets Kineograph up on a bare machine: environments, system libraries, demo, tests. Standard library only."""
