# SPDX-License-Identifier: Apache-2.0
"""A keyring in a file that a test writes, in the place of the desktop's: ``PYTHON_KEYRING_BACKEND`` names it."""

from __future__ import annotations

import os
from pathlib import Path

from keyring.backend import KeyringBackend

FILE_ENV = "KINEOGRAPH_TEST_KEYRING"


class FileKeyring(KeyringBackend):
    """Says what the file says, to whoever asks."""

    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        """The file's token."""
        return Path(os.environ[FILE_ENV]).read_text("utf-8").strip() or None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Not from here."""
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        """Not from here."""
        raise NotImplementedError
