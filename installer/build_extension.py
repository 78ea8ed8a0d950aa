# SPDX-License-Identifier: Apache-2.0
"""`python3 installer/build_extension.py`: the Blender extension as one zip, or one for each platform."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from kineograph_installer import extension
from kineograph_installer.console import SetupError, say


def main() -> int:
    """Build, check where Blender's checker is found, say what was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the zips (default: dist)")
    parser.add_argument("--split-platforms", action="store_true", help="one zip for each platform")
    options = parser.parse_args()
    try:
        tool = extension.find_validator()
        for built in extension.build(options.out, split=options.split_platforms):
            if tool is not None:
                extension.validate(built.path, tool)
            size = built.path.stat().st_size / 1e6
            say(f"{built.path}  {size:.1f} MB, {len(built.wheels)} wheels{', taken by Blender' if tool else ''}")
    except SetupError as e:
        sys.stderr.write(f"\n{e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
