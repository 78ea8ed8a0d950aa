# SPDX-License-Identifier: Apache-2.0
"""The one table of settings: name, type, default, unit, help, restart needed.

Later sources win: the defaults, ``config_dir()/settings.toml``, the environment (``KINEOGRAPH_<NAME>``), flags. The
flags, the documentation (``docs/settings.md``) and the validation all come from the table.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from kineograph import paths
from kineograph.errors import ErrorCode, RequestError

ENV_PREFIX = "KINEOGRAPH_"
Value = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One row. ``least`` and ``most`` bound numbers; ``restart``: a change takes effect at the next start."""

    name: str
    type: type[Any]
    default: Value
    unit: str
    help: str
    least: float | None = None
    most: float | None = None
    restart: bool = True

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment's spelling."""
        return ENV_PREFIX + self.name.upper()

    @property
    def allowed(self) -> str:
        """What the setting takes, in words."""
        kind = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: "a text",
            tuple: "a list of texts",
        }
        words = kind[self.type]
        if self.least is not None and self.most is not None:
            return f"{words} from {self.least:g} to {self.most:g}"
        return words if self.least is None else f"{words}, at least {self.least:g}"


def _row(default: Any, unit: str, text: str, least: float | None = None, most: float | None = None) -> Any:
    meaning = {"unit": unit, "help": text, "least": least, "most": most}
    return field(default=default, metadata=meaning)


@dataclass(frozen=True)
class Settings:
    """The table: one row a setting, checked values in an instance."""

    backbone: tuple[str, ...] = _row(
        (), "", "Backbones to host beside the installed ones: `module:Class`, or an entry point's name."
    )
    only_backbones: bool = _row(False, "", "Host only what `backbone` names, none of the installed ones.")
    device: tuple[str, ...] = _row(("cpu",), "", "One worker process a device: `cpu`, `cuda:0`, ...")
    remotes: tuple[str, ...] = _row(
        (), "", "MMCP servers whose models are hosted as if they were here: `https://HOST/PATH` or `NAME=https://HOST`."
    )
    tcp: str = _row("", "address", "Also listen on TCP, with keys: `127.0.0.1`, or `127.0.0.1:PORT`.")
    http: str = _row(
        "", "address", "Also serve MMCP over HTTP: `127.0.0.1`, or `HOST:PORT`; beyond loopback with tokens."
    )
    http_hosts: tuple[str, ...] = _row((), "", "Names under which the HTTP door is reached, beside its address.")
    http_origins: tuple[str, ...] = _row((), "", "Web pages that may use the HTTP door: `https://HOST`.")
    http_wait_s: float = _row(600.0, "s", "How long an HTTP request may wait for its motion before 504.", 0.1, 86_400.0)
    http_read_s: float = _row(60.0, "s", "How long an HTTP client may take to send a body.", 0.1, 3600.0)
    http_requests: int = _row(1000, "requests", "HTTP requests answered at once; more are refused with 429.", 1)
    http_certificate: str = _row("", "file", "A certificate chain (PEM): the HTTP door speaks HTTPS.")
    http_key: str = _row("", "file", "The certificate's private key (PEM).")
    queue_limit: int = _row(20_000, "jobs", "Waiting jobs beyond this are refused with `queue_full`; 0: no limit.", 0)
    client_limit: int = _row(4, "tasks", "Tasks of one client that run at once; 0: no limit.", 0)
    batch_limit: int = _row(64, "jobs", "Jobs of one batch that a model gets in one pass.", 1, 1024)
    cancel_grace_s: float = _row(5.0, "s", "A worker that does not stop a cancelled job within this is ended.", 0.1)
    spec_wait_s: float = _row(5.0, "s", "How long a request waits for models that have not reported yet.", 0.0)
    worker_ready_s: float = _row(120.0, "s", "A worker that has not reported its models within this is ended.", 1.0)
    worker_heartbeat_s: float = _row(15.0, "s", "A worker that is silent for this long is taken for dead.", 1.0)
    worker_stop_s: float = _row(3.0, "s", "How long a worker may take to end before it is killed.", 0.1)
    worker_backoff_s: float = _row(0.25, "s", "Wait before a dead worker is started again; doubles each time.", 0.01)
    worker_backoff_most_s: float = _row(30.0, "s", "The longest such wait.", 0.01)
    worker_stable_s: float = _row(60.0, "s", "A worker that lived this long starts again without a wait.", 0.0)
    max_losses: int = _row(1, "times", "How often a job may lose its worker and run again.", 0, 100)
    max_attempts: int = _row(5, "times", "How often a job may start, restarts of the daemon included.", 1, 1000)
    keep_days: float = _row(7.0, "days", "Results older than this expire.", 0.0)
    keep_gb: float = _row(20.0, "GB", "Results beyond this total expire, oldest first.", 0.0)
    history_days: float = _row(90.0, "days", "Jobs without a result are forgotten after this.", 0.0)
    inline_request_kb: int = _row(1024, "KB", "Larger requests are kept as files instead of rows.", 0, 65536)
    fsync_results: bool = _row(False, "", "Wait for the disk before a job is called succeeded: safe from a power cut.")
    heartbeat_s: float = _row(1.0, "s", "How often the daemon says that it lives.", 0.05)
    progress_every_s: float = _row(0.1, "s", "The least time between two progress events of one job.", 0.0)
    wait_limit_s: float = _row(60.0, "s", "The longest that a request for a result may wait.", 0.0)
    waiters_limit: int = _row(10_000, "requests", "Requests that may wait for results at once.", 1)
    body_limit_mb: int = _row(32, "MB", "A larger request, its arrays aside, is refused before it is read.", 1, 64)
    frame_limit_mb: int = _row(256, "MB", "A larger frame from a client drops the client.", 1, 1024)
    peer_queue: int = _row(10_000, "messages", "Messages kept for one client that does not read; 0: no limit.", 0)


def _setting(f: Field[Any]) -> Setting:
    default: Any = f.default
    return Setting(f.name, type(default), default, **f.metadata)


TABLE: tuple[Setting, ...] = tuple(_setting(f) for f in fields(Settings))
BY_NAME: Mapping[str, Setting] = {row.name: row for row in TABLE}


def load(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """The settings in force. Raises ``invalid_parameters`` naming the setting, what it got and what it takes."""
    environment = os.environ if environment is None else environment
    file = paths.config_dir() / "settings.toml" if file is None else file
    values: dict[str, Any] = {}
    for name, value in read_file(file).items():
        if name not in BY_NAME:
            raise wrong(name, value, f"one of {', '.join(BY_NAME)}", f"{file}: there is no setting {name!r}")
        values[name] = check(BY_NAME[name], value, str(file))
    for row in TABLE:
        text = environment.get(row.variable)
        if text is not None:
            values[row.name] = check(row, parse(row, text), row.variable)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = check(BY_NAME[name], parse(BY_NAME[name], value), BY_NAME[name].flag)
    return Settings(**values)


def check(row: Setting, value: Any, source: str) -> Value:
    """A value of the row's type within its bounds. Raises ``invalid_parameters``."""
    if row.type is tuple and isinstance(value, list):
        value = tuple(value)
    if row.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    fits = type(value) is row.type and (row.type is not tuple or all(isinstance(v, str) for v in value))
    if fits and isinstance(value, (int, float)) and not isinstance(value, bool):
        fits = (
            math.isfinite(value)
            and (row.least is None or value >= row.least)
            and (row.most is None or value <= row.most)
        )
    if not fits:
        raise wrong(row.name, value, row.allowed, f"{source}: {row.name} is {value!r}, it takes {row.allowed}")
    result: Value = value
    return result


def document() -> str:
    """``docs/settings.md``: the table for people."""
    lines = [
        "# Settings of the daemon",
        "",
        "Later sources win: the default, `settings.toml` in the configuration folder, the environment, a flag of",
        "`python -m kineograph_daemon run`. A value that does not fit stops the start and says which and why.",
        "Every setting takes effect at the next start. In the environment a list is separated by commas.",
        "`python -m kineograph_daemon settings` shows the values in force, `--set NAME=VALUE` changes the file;",
        "the panel has a form for both.",
        "",
        "A program that starts a daemon for itself alone says so with two more flags of `run`, which no file holds:",
        "`--end-with PID` ends it when that process has ended, once no other client has jobs; jobs of the client that",
        "`--end-with-client NAME` names do not keep it, and go on after the next start.",
        "",
        "| setting | takes | default | unit | meaning | environment | flag |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in TABLE:
        default = ", ".join(r.default) if isinstance(r.default, tuple) else str(r.default).lower()
        cells = (
            f"`{r.name}`",
            r.allowed,
            f"`{default}`" if default else "",
            r.unit,
            r.help,
            f"`{r.variable}`",
            f"`{r.flag}`",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def read_file(file: Path) -> dict[str, Any]:
    """What the file says, unchecked; nothing when there is none. Raises ``invalid_parameters`` when it is no TOML."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        raise wrong("settings.toml", str(file), "a TOML file", f"{file} cannot be read: {e}") from None


def parse(row: Setting, value: Any) -> Any:
    """A text of the environment or a flag as the row's type; what cannot be parsed stays for ``check`` to refuse."""
    if not isinstance(value, str) or row.type is str:
        return value
    if row.type is tuple:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if row.type is bool:
        return {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }.get(value.strip().lower(), value)
    try:
        return row.type(value)
    except ValueError:
        return value


def wrong(name: str, got: Any, allowed: str, message: str) -> RequestError:
    """``invalid_parameters`` about one setting."""
    shown = got if isinstance(got, (str, int, float, bool)) else repr(got)[:200]
    return RequestError(
        ErrorCode.INVALID_PARAMETERS, message, {"where": {"path": [name]}, "got": shown, "allowed": allowed}
    )


if __name__ == "__main__":
    print(document(), end="")
