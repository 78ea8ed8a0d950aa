# SPDX-License-Identifier: Apache-2.0
"""CURVE key pairs (Z85 text) for tcp endpoints. ipc needs none: its socket lies in a folder of mode 0700."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import zmq

from kineograph import paths
from kineograph.errors import AccessError, ErrorCode


@dataclass(frozen=True)
class KeyPair:
    """A public and a secret key, 40 characters of Z85 each."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"  # a secret never reaches a log

    @classmethod
    def load_or_make(cls, path: Path) -> KeyPair:
        """The pair in ``path`` (JSON, mode 0600), made on first use. Raises ``unauthorized`` for an unreadable file."""
        if not path.exists():
            _write_once(path)
        try:
            raw = json.loads(path.read_text("utf-8"))
            pair = cls(str(raw["public"]), str(raw["secret"]))
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise _unreadable(path, e) from None
        if len(pair.public) != 40 or len(pair.secret) != 40:
            raise _unreadable(path, "a key has 40 characters")
        return pair


def client_keys() -> KeyPair:
    """This user's key pair as a client: ``config_dir()/client_key.json``."""
    return KeyPair.load_or_make(paths.config_dir() / "client_key.json")


def server_keys() -> KeyPair:
    """This user's key pair as a daemon: ``config_dir()/server_key.json``."""
    return KeyPair.load_or_make(paths.config_dir() / "server_key.json")


def _write_once(path: Path) -> None:
    public, secret = zmq.curve_keypair()
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600; another thread has another
    temporary = Path(name)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        json.dump({"public": public.decode(), "secret": secret.decode()}, f)
    try:
        os.link(temporary, path)  # fails when another was first: its pair is the one to keep
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        os.replace(temporary, path)
    temporary.unlink(missing_ok=True)


def _unreadable(path: Path, why: object) -> AccessError:
    return AccessError(ErrorCode.UNAUTHORIZED, f"the key file {path} cannot be read: {why}", {"path": str(path)})
