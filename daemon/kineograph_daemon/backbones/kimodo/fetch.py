# SPDX-License-Identifier: Apache-2.0
"""Fetch the model's weights into the package's own cache: run by ``kineograph models install``, never by a job."""

from __future__ import annotations

import os
import sys

from kineograph_daemon.backbones.kimodo.package import DEFAULT_WEIGHTS, WEIGHTS_ENV


def main() -> int:
    """The exit status."""
    from huggingface_hub import snapshot_download
    from kimodo.model.registry import MODEL_NAMES

    name = os.environ.get(WEIGHTS_ENV, DEFAULT_WEIGHTS)
    if name not in MODEL_NAMES:
        print(f"there are no weights {name!r}; there are: {', '.join(MODEL_NAMES)}", file=sys.stderr)
        return 1
    print(f"Downloading {MODEL_NAMES[name]}", flush=True)
    snapshot_download(repo_id=MODEL_NAMES[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
