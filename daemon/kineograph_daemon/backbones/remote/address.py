# SPDX-License-Identifier: Apache-2.0
"""Where a remote is: ``https://HOST/PATH``, ``NAME=https://HOST`` or either with ``#rig``, from the setting."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kineograph.errors import ErrorCode, RequestError
from kineograph_daemon.workers.link import REMOTES_ENV

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Remote:
    """One MMCP server. ``keeps_rig``: rigs go there as they are, and the server retargets."""

    name: str
    url: str
    keeps_rig: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a token belongs to."""
        return origin_of(self.url)

    @property
    def host(self) -> str:
        """The host, for people."""
        return str(urlsplit(self.url).hostname)


def origin_of(url: str) -> str:
    """``scheme://host:port`` of a URL, the port always told. Raises ValueError for a URL that has none."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _PORTS[parts.scheme]}"


def is_private_line(origin: str) -> bool:
    """Whether nobody in between can read what is sent: HTTPS, or this computer's own address."""
    parts = urlsplit(origin)
    if parts.scheme == "https":
        return True
    try:
        return ipaddress.ip_address(str(parts.hostname)).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def parse(text: str) -> Remote:
    """One entry of the setting. Raises ``invalid_parameters``, which never repeats what might be a secret."""
    name, equals, url = text.strip().partition("=")
    if not equals or "://" in name:
        name, url = "", text.strip()
    url, _, mark = url.partition("#")
    try:
        parts = urlsplit(url)
        origin_of(url)
        name = name or str(parts.hostname)
        if parts.username or parts.password or parts.query:
            raise ValueError("a name, password or query does not belong into the address; tokens go into the keyring")
        if not _NAME.fullmatch(name):
            raise ValueError("a name is made of letters, digits and . _ -")
        if mark not in ("", "rig"):
            raise ValueError("only #rig may follow the address")
    except ValueError as e:
        shown = re.sub(r"//[^/]*@", "//...@", text).partition("?")[0][:200]
        details = {"where": {"path": ["remotes"]}, "got": shown, "allowed": "NAME=https://HOST/PATH"}
        reason = str(e).partition("?")[0] if "@" not in str(e) else "it is no address"
        raise RequestError(ErrorCode.INVALID_PARAMETERS, f"remotes: {shown!r}: {reason}", details) from None
    return Remote(name, url.rstrip("/"), mark == "rig")


def configured(entries: Sequence[str] | None = None) -> list[Remote]:
    """Every remote of the setting; of two with one name the later one wins. Raises ``invalid_parameters``."""
    if entries is None:
        entries = [e for e in os.environ.get(REMOTES_ENV, "").split(",") if e.strip()]
    return [*{remote.name: remote for remote in map(parse, entries)}.values()]
