# SPDX-License-Identifier: Apache-2.0
"""What the command imports before it works: help, version, codes and completion come without a client or numpy."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.daemon import FakeDaemon
from typer.testing import CliRunner

from kineograph.cli.lazy import load
from kineograph.cli.main import Commands, app, run

HEAVY = ("numpy", "zmq", "msgpack", "PIL", "asyncio", "kineograph.client", "kineograph.formats", "kineograph.motion")
_OWN = ("install", "check", "remove", "recipes", "encode", "token")
FORWARDED = {"gui", "daemon run", *(f"models {word}" for word in _OWN)}
"""Programs of their own, which tell their own options."""

WATCHED = """
import json, sys
from typer.testing import CliRunner
from kineograph.cli.main import app
for line in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, line.split(), prog_name="kineograph")
    assert done.exit_code == 0, (line, done.output)
    assert "<" not in done.output or "--help" not in line, ("a type as Python calls it", line, done.output)
    heavy = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    assert not heavy, (line, heavy)
"""


def every_command() -> Iterator[str]:
    for name, place in Commands.places.items():
        yield name
        yield from (f"{name} {word}" for word in getattr(load(name, place), "commands", ()))


def test_every_command_shows_an_example() -> None:
    mute = []
    for line in every_command():
        name, _, word = line.partition(" ")
        command = load(name, Commands.places[name])
        command = command.commands[word] if word else command
        if line not in FORWARDED and not getattr(command, "commands", None) and "Example" not in (command.help or ""):
            mute.append(line)
    assert not mute


def test_what_needs_no_daemon_imports_no_client_and_no_numpy() -> None:
    # One process: what a command's help has imported, the next one's has too, so the lightest come first.
    lines = ["--version", "--help", "errors", "errors unknown_joint", "errors --json"]
    lines += [f"{name} --help" for name in every_command() if name not in FORWARDED]
    assert "jobs list --help" in lines
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(lines), json.dumps(HEAVY)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_question_without_arrays_imports_no_numpy(tmp_path: Path) -> None:
    code = """
import sys
from kineograph.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(*[name for name in ("numpy", "kineograph.motion", "PIL") if name in sys.modules])
print("asyncio" in sys.modules)
"""
    with FakeDaemon(tmp_path) as fake:
        for words in (["jobs", "list"], ["daemon", "status"]):
            done = subprocess.run([sys.executable, "-c", code, *words, "--connect", fake.endpoint, "--json"],
                                  capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr
            _, heavy, has_asyncio = done.stdout.splitlines()
            assert heavy == ""
            if sys.platform == "linux":  # elsewhere ipc is libzmq's, whose monitor is read with it
                assert has_asyncio == "False"


def test_the_listing_imports_no_command() -> None:
    code = "import sys; sys.argv = ['kineograph', '--help']\nfrom kineograph.cli.main import app\n"
    code += "try: app()\nexcept SystemExit: print(*[m for m in sys.modules if m.startswith('kineograph')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert set(done.stdout.splitlines()[-1].split()) == {
        "kineograph", "kineograph.cli", "kineograph.cli.lazy", "kineograph.cli.main", "kineograph.cli.words"
    }  # fmt: skip


@pytest.mark.parametrize("name", Commands.places)
def test_the_listing_says_of_a_command_what_the_command_says(name: str) -> None:
    place = Commands.places[name]
    command = load(name, place)
    assert command.name == name
    assert " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split()) == place.line


def test_a_command_is_called_with_its_options_and_completed() -> None:
    assert "Rename" in CliRunner().invoke(app, ["errors", "unknown_joint"]).stdout
    wrong = CliRunner().invoke(app, ["generat"])
    assert wrong.exit_code == 2
    assert "generate" in wrong.output
    for words, expected in (("kineograph re", ["retarget", "replay"]), ("kineograph jobs ca", ["cancel"])):
        env = {**os.environ, "_KINEOGRAPH_COMPLETE": "complete_bash", "COMP_WORDS": words,
               "COMP_CWORD": str(len(words.split()) - 1)}  # fmt: skip
        code = "from kineograph.cli.main import run; run()"
        done = subprocess.run([sys.executable, "-c", f"import sys; sys.argv = ['kineograph']; {code}"],
                              env=env, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
        assert done.stdout.split() == expected, done.stderr


def test_a_wrong_command_line_is_told_as_json_where_that_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["kineograph", "jobs", "list", "--json", "--limit", "none"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    told = json.loads(capsys.readouterr().out)
    assert told["error"]["code"] == "invalid_parameters"
    assert "--limit" in told["problem"]["text"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("generate", "Your character is needed"),
        ("generate --seconds -3", "it takes at least 0.01."),
        ("generate --fps x", "it takes a number."),
        ("generate --seed 1.5", "it takes a whole number."),
        ("jobs list --state done", ": 'done' is not one of 'queued'"),
        ("convert a.glb b.xyz", "a motion is written as .bvh"),
        ("drain", "Did you mean 'kineograph daemon drain'?"),
        ("wait 7f3a", "Did you mean 'kineograph jobs wait'?"),
        ("generat", "Did you mean 'generate'?"),
        ("watch clips --out done", "Needed: --to"),
    ],
)
def test_a_wrong_command_line_says_what_belongs_there(line: str, says: str) -> None:
    wrong = CliRunner().invoke(app, line.split(), env={"COLUMNS": "200"})
    assert wrong.exit_code == 2
    told = " ".join(wrong.output.split())
    assert says in told
    for foreign in ("Input should", "Value error", "Invalid value: "):
        assert foreign not in told
