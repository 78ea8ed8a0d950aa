# SPDX-License-Identifier: Apache-2.0
"""The commands of the installer."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kineograph_installer import libraries, panel, runner
from kineograph_installer.alone import alone
from kineograph_installer.console import SetupError, say
from kineograph_installer.environment import Environment, find_python

ROOT = Path(__file__).resolve().parents[2]
BLENDERS: dict[str, tuple[str, tuple[int, int]]] = {
    "4.2": ("4.2.23", (3, 11)),
    "4.5": ("4.5.15", (3, 11)),
    "5.0": ("5.0.1", (3, 11)),
    "5.2": ("5.2.3", (3, 13)),
}
"""Blender version to the release of its Python module and the Python that module is built for."""
DEFAULT_BLENDER = "5.0"
MOST_PROCESSES = 8
"""Test files run side by side at most: each may start a daemon and its workers."""
RUN_EXAMPLES = """examples:
  python3 installer run                      # writes the demo's files into ./demo
  python3 installer run --headless           # on a server: no window
  python3 installer run --out ~/first-try"""
TEST_EXAMPLES = """examples:
  python3 installer test                     # all of them
  python3 installer test tests/unit -k rigs  # a part
  python3 installer test --no-blender -x     # without Blender (about 400 MB), ending at the first failure"""
EXAMPLES = """examples:
  python3 installer run
  python3 installer test tests/unit
more of each: python3 installer run --help, python3 installer test --help"""
_SPREADS = ("-n", "--numprocesses", "--dist")
TEST_TOOLS = ("pytest>=8.3", "pytest-timeout>=2.3", "hypothesis>=6.120")
"""What the tests within Blender need beside the add-on's own libraries."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "test":
        parser.error(f"unknown option {rest[0]}")
    try:
        if options.command == "run":
            return run(options)
        return test(options, rest)
    except SetupError as e:
        sys.stderr.write(f"\n{e}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again to go on where it stopped.\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 installer",
        description="Set Kineograph up and run it, or its tests. Safe to run again at any time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|test")
    shape = argparse.RawDescriptionHelpFormatter
    run_ = commands.add_parser(
        "run",
        help="set up, start the daemon, generate the demo, open the panel",
        description="Set up, start the daemon, generate the demo, and open the panel where there is a display.",
        epilog=RUN_EXAMPLES,
        formatter_class=shape,
    )
    run_.add_argument("--headless", action="store_true", help="open no window")
    run_.add_argument("--out", type=Path, default=Path("demo"), help="folder for the demo's files (default: demo)")
    test_ = commands.add_parser(
        "test",
        help="set up everything that the tests need, run them all; other options go to pytest",
        description="Set up everything that the tests need, and run them. Other options go to pytest.",
        epilog=TEST_EXAMPLES,
        formatter_class=shape,
    )
    test_.add_argument("--all-blenders", action="store_true", help="run the Blender tests on every supported version")
    test_.add_argument("--again", action="store_true", help="run the few tests that failed once more, alone")
    test_.add_argument("--no-blender", action="store_true", help="leave the Blender tests out")
    test_.add_argument(
        "--from-source",
        action="store_true",
        help="run the Blender tests on the sources instead of the extension that its zip installs",
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Set up, then the demo through the daemon, then the panel where there is a display."""
    say("Kineograph")
    with alone(ROOT):  # the demo too: nobody installs into what it runs from
        env = product()
        env.ensure()
        _remember(env)
        code = subprocess.call([str(env.script("kineograph")), "demo", "--out", str(options.out)])
    if code == 0 and not options.headless and panel.has_display():
        panel.open_panel(env.script("kineograph"), ROOT / ".venv" / "panel.log")
    return code


def test(options: argparse.Namespace, pytest_arguments: Sequence[str]) -> int:
    """Set up, then all tests: the product's in its environment, Blender's in one environment a version."""
    say("Kineograph's tests")
    with alone(ROOT):
        env = product(tests=True)
        env.ensure()
        libraries.ensure(libraries.PANEL, ROOT / ".venv" / "install.log")
    named = [a for a in pytest_arguments if not a.startswith("-") and (ROOT / a.split("::")[0]).exists()]
    elsewhere = [a for a in named if not _is_blender(a)]
    ends = []
    if elsewhere or not named:
        mine = ["--ignore=tests/blender", *pytest_arguments]
        spread = () if named else _spread(pytest_arguments)
        ends.append(runner.run(env.executable, mine, ROOT, again=options.again, spread=spread))
    if not options.no_blender and (not named or len(elsewhere) < len(named)):
        mine = [a for a in pytest_arguments if a not in elsewhere]
        for version in BLENDERS if options.all_blenders else [DEFAULT_BLENDER]:
            wanted = mine if named else ["tests/blender", *mine]
            addon = "source" if options.from_source else "zip"
            ends.append(_blender_tests(version, env, wanted, addon, again=options.again))
    for end in filter(None, (end.closing for end in ends)):
        say(end)
    return next((end.code for end in ends if end.code), 0)


def product(*, tests: bool = False) -> Environment:
    """The product's own environment; tests add theirs to it."""
    extras = "daemon,cli,gui,http,remote,usd,bench,test" if tests or _has_tests() else "daemon,cli,gui,http,remote"
    return Environment(
        folder=ROOT / ".venv",
        packages=("--editable", f"{ROOT}[{extras}]"),
        probe="import kineograph, kineograph_daemon, zmq, msgpack, motionmcp, typer" + (", pytest" if tests else ""),
        python=Path(sys.executable),
        inputs=(ROOT / "pyproject.toml",),
        title="Kineograph and what its tests need" if tests else "Kineograph",
    )


def blender(version: str, python: Path) -> Environment:
    """An environment with one Blender version as a module."""
    release = BLENDERS[version][0]
    return Environment(
        folder=ROOT / f".venv-blender-{version}",
        packages=(f"bpy=={release}", "pyzmq>=26.2", "msgpack>=1.0.8", *TEST_TOOLS),
        probe="import bpy, zmq, msgpack, pytest, hypothesis",
        python=python,
        title=f"Blender {release} as a module (about 400 MB)",
    )


def _spread(pytest_arguments: Sequence[str]) -> list[str]:
    """Files side by side, in the order that they have; nothing where somebody shares them out, or wants to look in."""
    if any(a in ("-s", "--pdb", "--trace", "no:xdist") or a.startswith(_SPREADS) for a in pytest_arguments):
        return []
    return [f"--numprocesses={min(os.cpu_count() or 1, MOST_PROCESSES)}", "--dist=loadfile", "--no-loadscope-reorder"]


def _blender_tests(
    version: str, env: Environment, arguments: Sequence[str], addon: str, *, again: bool
) -> runner.Outcome:
    """``addon``: what is tested, see ``tests/blender/package.py``."""
    python = find_python(BLENDERS[version][1])
    if python is None:
        wanted = ".".join(map(str, BLENDERS[version][1]))
        say(f"  - Blender {version} is left out: it needs Python {wanted}, which is not on this machine.")
        return runner.Outcome(0)
    venv = blender(version, python)
    with alone(ROOT):
        libraries.ensure(libraries.BLENDER, ROOT / ".venv" / "install.log")
        venv.ensure()
    say(f"\nBlender {version}")
    extra = {"PYTHONPATH": str(ROOT), "KINEOGRAPH_DAEMON_PYTHON": str(env.executable), "KINEOGRAPH_ADDON": addon}
    return runner.run(venv.executable, arguments, ROOT, extra, again=again)


def _is_blender(argument: str) -> bool:
    return "tests/blender" in argument.replace(os.sep, "/")


def _has_tests() -> bool:
    """Whether the environment was once set up for tests: it stays so, and is not installed back and forth."""
    return (
        (ROOT / ".venv" / "Lib").exists()
        if os.name == "nt"
        else any((ROOT / ".venv" / "lib").glob("*/site-packages/pytest"))
    )


def _remember(env: Environment) -> None:
    """Tell clients in other programs (Blender) which Python starts the daemon."""
    code = (
        "import json, sys; from kineograph import paths; "
        "(paths.config_dir() / 'install.json').write_text(json.dumps({'python': sys.executable}))"
    )
    done = subprocess.run([str(env.executable), "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it ended at once"])[-1]
        say(f"  - Other programs (Blender) do not learn where this installation is: {why}")
