# SPDX-License-Identifier: Apache-2.0
"""The checks behind ``kineograph.advise``: each looks at one thing and yields what it found."""
