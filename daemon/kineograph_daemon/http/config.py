# SPDX-License-Identifier: Apache-2.0
"""What the door's process is told: plain values, checked by the daemon before it starts the door."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
from dataclasses import asdict, dataclass
from typing import Any

from kineograph.errors import ErrorCode, RequestError
from kineograph_daemon.settings import Settings

_NEEDS = ("uvicorn", "prometheus_client")
DEFAULT_PORT = 8000
"""The port that MMCP's own server listens on."""


@dataclass(frozen=True)
class DoorConfig:
    """Where the door stands and what it bears. ``port`` 0: any free one."""

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    wait_s: float = 600.0
    read_s: float = 60.0
    most_requests: int = 1000
    certificate: str = ""
    key: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer reaches the door."""
        return is_loopback(self.host)

    def to_json(self) -> str:
        """For the door's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> DoorConfig:
        """What ``to_json`` made."""
        values: dict[str, Any] = json.loads(text)
        for name in ("hosts", "origins"):
            values[name] = tuple(values[name])
        return cls(**values)

    @classmethod
    def from_settings(cls, settings: Settings) -> DoorConfig | None:
        """The door that the settings want, or None. Raises ``invalid_parameters`` for an address that is none."""
        if not settings.http:
            return None
        if missing := [name for name in _NEEDS if importlib.util.find_spec(name) is None]:
            raise RequestError(
                ErrorCode.INVALID_PARAMETERS,
                f"the HTTP door needs {' and '.join(missing)}: install kineograph[http]",
                {"where": {"path": ["http"]}, "got": missing, "allowed": list(_NEEDS)},
            )
        host, port = parse_address(settings.http)
        return cls(
            host=host,
            port=port,
            hosts=settings.http_hosts,
            origins=settings.http_origins,
            wait_s=settings.http_wait_s,
            read_s=settings.http_read_s,
            most_requests=settings.http_requests,
            certificate=settings.http_certificate,
            key=settings.http_key,
        )


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST``, ``HOST:PORT``, ``[V6]:PORT`` or ``PORT``. Raises ``invalid_parameters``."""
    if text.isdecimal():
        host, port = "127.0.0.1", text
    elif text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    number = int(port) if port.isdecimal() else DEFAULT_PORT if not port else -1
    if not host or any(c in host for c in "/@ ") or not 0 <= number < 65_536:
        raise RequestError(
            ErrorCode.INVALID_PARAMETERS,
            f"http is {text!r}: it takes HOST or HOST:PORT",
            {"where": {"path": ["http"]}, "got": text, "allowed": "HOST or HOST:PORT"},
        )
    return host, number


def is_loopback(host: str) -> bool:
    """Whether a name or address is this computer's own and nobody else's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
