# SPDX-License-Identifier: Apache-2.0
"""Who may do what. ipc lies in a folder of mode 0700: whoever gets there is the user, and admin.

TCP always needs a key (CURVE): ``config_dir()/clients.json`` lists public keys with a name and a role,
``{"clients": [{"name": "render-2", "public_key": "<40 characters of Z85>", "role": "submit"}]}``. The user's own client
key is admin. The file is read again when it changes; a key that is taken out stops working with the next message.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from kineograph import paths
from kineograph.client.keys import client_keys
from kineograph.errors import AccessError, ErrorCode
from kineograph.files import WatchedJson
from kineograph.wire.messages import ROLE_OF, Method, Role

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_RANK = {Role.OBSERVE: 0, Role.SUBMIT: 1, Role.ADMIN: 2}


def check_role(role: Role | None, method: Method) -> None:
    """Raises ``unauthorized`` without a role, ``forbidden`` when it does not allow the method."""
    need = ROLE_OF[method]
    if role is None:
        raise AccessError(ErrorCode.UNAUTHORIZED, "this daemon wants a key", {"allowed": str(need), "got": None})
    if _RANK[role] < _RANK[need]:
        details = {"method": str(method), "role": str(role), "got": str(role), "allowed": str(need)}
        raise AccessError(ErrorCode.FORBIDDEN, f"a key with the role {role} may not call {method}", details)


class Keyring:
    """The public keys that this daemon knows, and their roles."""

    def __init__(self, file: Path | None = None) -> None:
        none: dict[str, Role] = {}
        self._roles = WatchedJson(file or paths.config_dir() / "clients.json", _roles, none)
        self._own = client_keys().public

    def role_of(self, public_key: str) -> Role | None:
        """The role of a key (Z85 text), or None for a key that is not known."""
        return Role.ADMIN if public_key == self._own else self._roles.value.get(public_key)


class ZapHandler:
    """Answers libzmq's question whether a key may connect (RFC 27), in the front's own loop."""

    def __init__(self, context: Any, keyring: Keyring) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(ZAP_ENDPOINT)
        self._keyring = keyring

    def answer(self) -> None:
        """Answer all questions that wait."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if b"" not in frames:
                continue
            split = frames.index(b"") + 1
            self.socket.send_multipart([*frames[:split], *self._decide(frames[split:])])

    def close(self) -> None:
        """Ask no more."""
        self.socket.close(0)

    def _decide(self, question: list[bytes]) -> list[bytes]:
        request_id = question[1] if len(question) > 1 else b""
        key = _curve_key(question)
        if key is None or self._keyring.role_of(key) is None:
            return [b"1.0", request_id, b"400", b"unknown key", b"", b""]
        return [b"1.0", request_id, b"200", b"OK", key.encode(), b""]


def _curve_key(question: list[bytes]) -> str | None:
    # version, request id, domain, address, identity, mechanism, key
    if len(question) < 7 or question[0] != b"1.0" or question[5] != b"CURVE" or len(question[6]) != 32:
        return None
    return str(z85.encode(question[6]), "ascii")


def _roles(raw: Mapping[str, Any]) -> dict[str, Role]:
    return {str(entry["public_key"]): Role(entry["role"]) for entry in raw["clients"]}
