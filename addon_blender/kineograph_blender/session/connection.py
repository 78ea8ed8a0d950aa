# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection in words, without I/O or bpy: what the link says goes in, a sentence and its buttons come out.

off -> looking -> connecting -> ready -> lost (why) -> looking ...
       looking -> starting -> connecting
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kineograph.client import LinkState
from kineograph.errors import ErrorCode, KineographError


class Phase(StrEnum):
    """Where the connection stands, as it is shown."""

    OFF = "off"
    LOOKING = "looking"
    STARTING = "starting"
    CONNECTING = "connecting"
    READY = "ready"
    LOST = "lost"


@dataclass(frozen=True)
class Standing:
    """What is shown: a word, a sentence where the word is not enough, and which buttons make sense."""

    phase: Phase
    text: str
    why: str = ""
    can_start: bool = False
    can_connect: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether a request would leave at once."""
        return self.phase is Phase.READY


_WORDS = {
    Phase.OFF: "Not connected",
    Phase.LOOKING: "Looking for Kineograph",
    Phase.STARTING: "Starting Kineograph",
    Phase.CONNECTING: "Connecting",
    Phase.READY: "Ready",
    Phase.LOST: "Not running",
}
_PHASES = {
    LinkState.LOOKING: Phase.LOOKING,
    LinkState.STARTING: Phase.STARTING,
    LinkState.CONNECTING: Phase.CONNECTING,
    LinkState.READY: Phase.READY,
    LinkState.LOST: Phase.LOST,
    LinkState.CLOSED: Phase.OFF,
}
_ABSENT = frozenset({ErrorCode.DAEMON_UNREACHABLE, ErrorCode.HANDSHAKE_TIMEOUT})


def standing(
    state: LinkState,
    error: KineographError | None,
    was_lost: bool,
    is_local: bool,
    say: Callable[[KineographError], str],
) -> Standing:
    """How the link is shown.

    A lost link looks again every other second; while it does (``was_lost``) the words stay, so that nothing flickers.
    ``is_local``: a daemon of this computer can be started from here. ``say`` puts an error into words.
    """
    phase = _PHASES[state]
    if was_lost and error is not None and phase in (Phase.LOOKING, Phase.CONNECTING):
        phase = Phase.LOST
    if phase is not Phase.LOST:
        return Standing(phase, _WORDS[phase], can_connect=phase is Phase.OFF, can_start=phase is Phase.OFF and is_local)
    absent = error is None or error.code in _ABSENT
    text = _WORDS[phase] if absent else "Lost"
    return Standing(phase, text, "" if error is None else say(error), can_start=is_local and absent, can_connect=True)
