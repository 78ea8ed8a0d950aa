# SPDX-License-Identifier: Apache-2.0
"""``settings.toml``, read and changed a line at a time: comments and what nobody touched stay as they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kineograph import files, paths
from kineograph.errors import ErrorCode, RequestError
from kineograph_daemon import settings as table
from kineograph_daemon.settings import BY_NAME, TABLE, Setting, Value


def default_path() -> Path:
    """Where the daemon reads its settings."""
    return paths.config_dir() / "settings.toml"


def describe(file: Path | None = None, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The table with every setting's value, default, limits and where the value comes from; for forms."""
    file = default_path() if file is None else file
    environment = os.environ if environment is None else environment
    told = table.read_file(file)
    return {"file": str(file), "settings": [_row(row, told, environment) for row in TABLE]}


def _row(row: Setting, told: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    source = "environment" if row.variable in environment else "file" if row.name in told else "default"
    value = table.load({}, environment, Path(os.devnull)) if source == "environment" else None
    known = getattr(value, row.name) if value is not None else told.get(row.name, row.default)
    return {
        "name": row.name,
        "type": {tuple: "list"}.get(row.type, row.type.__name__),
        "value": list(known) if isinstance(known, tuple) else known,
        "default": list(row.default) if isinstance(row.default, tuple) else row.default,
        "unit": row.unit,
        "help": row.help,
        "least": row.least,
        "most": row.most,
        "allowed": row.allowed,
        "restart": row.restart,
        "source": source,
    }


def change(changes: Mapping[str, Any], file: Path | None = None) -> Path:
    """Write new values; None takes a setting out. All of them or none.

    Raises ``invalid_parameters`` for an unknown name or a value that does not fit, or a file that cannot be written.
    """
    file = default_path() if file is None else file
    lines = _lines(file)
    for name, value in changes.items():
        row = BY_NAME.get(name)
        if row is None:
            raise table.wrong(name, value, f"one of {', '.join(BY_NAME)}", f"there is no setting {name!r}")
        lines = _without(lines, name)
        if value is not None:
            checked = table.check(row, table.parse(row, value), str(file))
            lines.append(f"{name} = {_toml(checked)}")

    def make(temporary: Path) -> None:
        temporary.write_text("\n".join(lines) + "\n" if lines else "", encoding="utf-8")
        table.load({}, {}, temporary)  # what is written must be what a start accepts

    try:
        files.write_whole(file, make)
    except OSError as e:
        raise RequestError(
            ErrorCode.INVALID_PARAMETERS, f"{file} cannot be written: {e.strerror or e}", {"file": str(file)}
        ) from None
    return file


def _lines(file: Path) -> list[str]:
    table.read_file(file)  # a file that cannot be read is named, not overwritten
    try:
        return file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []


def _without(lines: list[str], name: str) -> list[str]:
    """The lines without a setting's own; a list may span several."""
    out: list[str] = []
    in_list = False
    for line in lines:
        if in_list:
            in_list = "]" not in line
        elif re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
            value = line.split("=", 1)[1].strip()
            in_list = value.startswith("[") and "]" not in value
        else:
            out.append(line)
    return out


def _toml(value: Value) -> str:
    # JSON's strings, numbers and arrays are TOML's too.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
