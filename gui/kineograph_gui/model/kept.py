# SPDX-License-Identifier: Apache-2.0
"""The draft as a file of the panel's own: what was being written is there again, however the panel ended."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path

from kineograph.errors import KineographError
from kineograph_gui.model.draft import Draft

_log = logging.getLogger(__name__)


class KeptDraft:
    """One draft in ``file``. A file that cannot be read or written is logged: it must not stop anybody's work."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = ""

    def load(self) -> Draft | None:
        """What was kept, or None."""
        if not self._file.is_file():
            return None
        try:
            draft = Draft.load(self._file)
        except KineographError as e:
            _log.warning("the draft of before is passed over: %s", e)
            return None
        self._known = _text(draft)
        return draft

    def keep(self, draft: Draft) -> None:
        """Write the draft if it is another one; nothing is kept of one without a rig and without prompts."""
        text = _text(draft)
        if text == self._known:
            return
        try:
            if draft.rig is None and draft.is_blank:
                with suppress(FileNotFoundError):
                    self._file.unlink()
            else:
                draft.save(self._file)
        except (OSError, KineographError) as e:
            _log.warning("the draft cannot be kept: %s", e)
        self._known = text


def _text(draft: Draft) -> str:
    return json.dumps([draft.character, draft.request()], default=str)
