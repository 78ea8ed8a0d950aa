# SPDX-License-Identifier: Apache-2.0
"""Tokens for remotes: ``kineograph models token set URL | remove URL | check URL``.

They live in the system's keyring under scheme, host and port, or in an environment variable whose name is made of
them, and in no file and no log of ours. A token goes to that origin alone: another port is another origin.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import re
import sys
from collections.abc import Sequence

from kineograph_daemon.backbones.remote.address import origin_of, parse

SERVICE = "kineograph"
_log = logging.getLogger(__name__)


def variable_of(origin: str) -> str:
    """The environment variable that may hold an origin's token: ``KINEOGRAPH_TOKEN_HTTPS_HOST_EXAMPLE_443``."""
    return "KINEOGRAPH_TOKEN_" + re.sub(r"[^A-Z0-9]+", "_", origin.upper())


def find(origin: str) -> str | None:
    """The token for an origin, asked for anew each time, so that a refreshed one counts at once; None without one."""
    token = os.environ.get(variable_of(origin)) or _in_keyring(origin)
    return token.strip() or None if token else None


def _in_keyring(origin: str) -> str | None:
    try:
        import keyring

        return keyring.get_password(SERVICE, origin)
    except ImportError:
        return None
    except Exception as e:  # noqa: BLE001 - a desktop's keyring fails in its own ways; the type tells enough
        if type(e).__name__ != "NoKeyringError":
            _log.warning("the system's keyring does not answer: %s", type(e).__name__)
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="kineograph models token", description="Tokens for remote models.")
    parser.add_argument("command", choices=["set", "remove", "check"])
    parser.add_argument("url", help="the remote's address")
    args = parser.parse_args(argv)
    try:
        origin = origin_of(parse(args.url).url)
    except Exception as e:  # noqa: BLE001 - told to a person
        print(getattr(e, "message", e), file=sys.stderr)
        return 2
    if args.command == "check":
        there = find(origin) is not None
        print(f"{origin}: {'a token is here' if there else f'no token; it may also stand in {variable_of(origin)}'}")
        return 0 if there else 1
    return _change(args.command, origin)


def _change(command: str, origin: str) -> int:
    try:
        import keyring

        if command == "set":
            token = getpass.getpass(f"Token for {origin}: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
            keyring.set_password(SERVICE, origin, token)
        else:
            keyring.delete_password(SERVICE, origin)
    except Exception as e:  # noqa: BLE001 - no keyring, a locked one, none such: told to a person
        told = f"the system's keyring cannot be used ({type(e).__name__}); put the token into {variable_of(origin)}"
        print(told, file=sys.stderr)
        return 1
    print(f"{origin}: {'kept in the keyring' if command == 'set' else 'removed'}")
    return 0
