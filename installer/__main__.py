# SPDX-License-Identifier: Apache-2.0
"""`python3 installer run|test`: sets everything up, then does it. Standard library only.

This file must be readable by any Python, however old, so that an old one gets a sentence instead of a syntax error.
"""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "Kineograph needs Python 3.11 or later; this is Python %d.%d (%s).\n"
        % (sys.version_info[:2] + (sys.executable,))
    )
    sys.stderr.write(
        "Install a newer Python, then run the same command with it, for example: python3.12 installer run\n"
    )
    sys.exit(2)

from kineograph_installer.main import main

if __name__ == "__main__":
    sys.exit(main())
