# SPDX-License-Identifier: Apache-2.0
"""An environment from its recipe, step by step: what was done is noted, so that the same command goes on or repairs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kineograph import __version__, files
from kineograph.errors import ErrorCode, InternalError, KineographError, UnavailableError
from kineograph_daemon.backbones.environments import advice, ready
from kineograph_daemon.backbones.environments.ready import Installed
from kineograph_daemon.backbones.environments.recipes import Recipe

Report = Callable[[float, str], None]
"""Told how far (0 to 1) and what is being done."""
_ROOM = 1.2
_TAIL_LINES = 60
_TELLS_LINES = 40
"""After so many lines of a step's program half of the step counts as done."""


@dataclass(frozen=True)
class Step:
    """One thing to do: its key in the notes, its words, its weight in the progress, and its command."""

    key: str
    words: str
    weight: float
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def install(recipe: Recipe, report: Report, *, weights: bool = True, repair: bool = False) -> Installed:
    """The finished environment. Raises what stands in the way, before anything is changed where that can be known."""
    place = ready.folder() / recipe.name
    refuse(recipe, repair=repair)
    place.mkdir(parents=True, exist_ok=True)
    ready.forget(recipe.name)
    notes = _Notes(place / "steps.json", recipe, fresh=repair)
    if notes.is_other:
        shutil.rmtree(place / "env", ignore_errors=True)
        notes.clear()
    steps = [*_steps(recipe, weights)]
    total, before = sum(s.weight for s in steps), 0.0
    for step in steps:
        report(before / total, step.words)
        if step.key not in notes.done:
            _run(step, place / "install.log", partial(_within, report, before / total, step.weight / total))
            notes.add(step.key)
            if step.key == "venv" and recipe.inherits:
                _inherit(place / "env")
        before += step.weight
    report(1.0, "ready")
    made = Installed(recipe.name, str(ready.python_of(recipe.name)), recipe.backbones, recipe.sha256, __version__)
    ready.write(made)
    return made


def refuse(recipe: Recipe, *, repair: bool = False) -> None:
    """Raises what is known to make an installation fail: no Python for it, a tool that is missing, too little room."""
    find_python(recipe)
    missing = [tool for tool in recipe.tools if shutil.which(tool) is None]
    if missing:
        line = advice.line_for(missing)
        how = f"install that first: {line}" if line else "install that first"
        raise _refusal(f"{recipe.title} needs {' and '.join(missing)}: {how}", got=missing, line=line)
    data = ready.folder().parent
    free_gb = shutil.disk_usage(data).free / 1e9
    need_gb = (recipe.size_gb + recipe.weights_gb) * _ROOM
    if free_gb < need_gb and not repair:
        details = {"resource": "disk", "need_bytes": int(need_gb * 1e9), "free_bytes": int(free_gb * 1e9)}
        message = f"{recipe.title} needs {need_gb:.1f} GB on the disk of {data}, {free_gb:.1f} GB are free"
        raise UnavailableError(ErrorCode.RESOURCE_EXHAUSTED, message, details)


def find_python(recipe: Recipe) -> str:
    """A Python that the recipe takes: this one, else one on the path. Raises ``model_unavailable``."""
    if _fits(recipe.python, sys.version_info[:2]) or recipe.inherits:
        return sys.executable
    for minor in range(20, 7, -1):
        found = shutil.which(f"python3.{minor}")
        if found is not None and _fits(recipe.python, (3, minor)):
            return found
    raise _refusal(f"{recipe.title} needs Python {recipe.python}, which is not on this computer", got=sys.version[:6])


def missing(name: str) -> str:
    """What an environment lacks, for people; empty when it works."""
    made = ready.read(name)
    if made is None:
        return "it is not installed" if not ready.python_of(name).exists() else "its installation is not finished"
    if not Path(made.python).exists():
        return "its Python is gone"
    done = _probe(made.python, made.backbones)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it does not start"])[-1][:300]


def remove(name: str) -> bool:
    """Take an environment away; False when there was none."""
    place = ready.folder() / name
    ready.forget(name)
    found = place.is_dir()
    shutil.rmtree(place, ignore_errors=True)
    return found


def _steps(recipe: Recipe, weights: bool) -> Iterator[Step]:
    python = str(ready.python_of(recipe.name))
    pip = (python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--no-input")
    place = str(ready.folder() / recipe.name / "env")
    # An environment that sees the daemon's packages sees its pip as well.
    bare = ("--without-pip",) if recipe.inherits and importlib.util.find_spec("pip") is not None else ()
    yield Step("venv", "making the environment", 1.0, (find_python(recipe), "-m", "venv", *bare, place))
    if not recipe.inherits:
        yield Step("kineograph", "installing Kineograph's own part", 3.0, (*pip, _ourselves()))
    for i, packages in enumerate(recipe.packages):
        words = f"installing {', '.join(map(_short, packages))}"
        yield Step(f"packages-{i}", words, 10.0, (*pip, *packages), recipe.environment)
    yield Step("probe", "trying it", 1.0, (python, "-c", _trial(recipe.backbones)))
    for module in recipe.weights if weights else ():
        yield Step(f"weights-{module}", "fetching the weights", 10.0, (python, "-m", module))


def _within(report: Report, done: float, share: float, part: float, words: str) -> None:
    report(done + share * part, words)


def _run(step: Step, log: Path, tell: Report) -> None:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    env |= {"PYTHONUNBUFFERED": "1", **dict(step.environment)}
    tail: list[str] = []
    told = 0
    with log.open("a", encoding="utf-8") as out:
        out.write(f"--- {step.words}\n")
        process = subprocess.Popen(
            step.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
        )
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                out.write(line + "\n")
                tail = [*tail, line][-_TAIL_LINES:]
                if line.lstrip().startswith(("Collecting ", "Downloading ", "Cloning ", "Installing ", "Building ")):
                    told += 1
                    tell(told / (told + _TELLS_LINES), line.strip()[:100])
        finally:
            process.stdout.close()
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.terminate()
            code = process.wait()
    if code != 0:
        todo = advice.advice_on(tail)
        details = {"reason": "\n".join(tail)[-2000:], "log": str(log), "got": code, "step": step.key, "advice": todo}
        cause = advice.cause_of(tail)[:300] or f"exit code {code}"
        message = f"{step.words} failed: {cause}{f' ({todo})' if todo else ''}; see {log}"
        raise InternalError(ErrorCode.INTERNAL_ERROR, message, details)


def _probe(python: str, backbones: Sequence[str]) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    command = [python, "-c", _trial(backbones)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=env, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return subprocess.CompletedProcess(command, 1, "", f"{type(e).__name__}")


def _trial(backbones: Sequence[str]) -> str:
    return (
        "import sys, kineograph_daemon.workers.main\n"
        "from kineograph_daemon.backbones.registry import discover, load_all\n"
        f"found = load_all(discover({list(backbones)!r}, entry_points=False))\n"
        "bad = [str(f.error) for f in found.values() if f.error is not None]\n"
        "sys.exit('; '.join(bad) if bad else None if found else 'the package brings no model')\n"
    )


def _inherit(env: Path) -> None:
    """Let the environment see what the daemon sees, behind its own packages."""
    scheme = {"base": str(env), "platbase": str(env)}
    site = Path(sysconfig.get_path("purelib", "nt" if sys.platform == "win32" else "posix_prefix", scheme))
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    seen = [p for p in sys.path if p and Path(p).is_dir() and p not in standard and "lib-dynload" not in p]
    (site / "kineograph.pth").write_text("\n".join(seen) + "\n", "utf-8")


def _ourselves() -> str:
    root = Path(__file__).resolve().parents[4]
    if (root / "pyproject.toml").is_file():
        return f"{root}[daemon]"
    return f"kineograph[daemon]=={__version__}"


def _fits(wanted: str, version: tuple[int, int]) -> bool:
    """Whether a version of Python is within ``>=3.10,<3.13``."""
    for part in filter(None, map(str.strip, wanted.split(","))):
        found = re.fullmatch(r"(>=|<=|<|>|==)\s*(\d+)\.(\d+)", part)
        if found is None:
            raise ValueError(f"{part!r} is no range of Python versions")
        other = (int(found[2]), int(found[3]))
        ok = {">=": version >= other, "<=": version <= other, "<": version < other, ">": version > other}
        if not ok.get(found[1], version == other):
            return False
    return True


def _short(requirement: str) -> str:
    return re.split(r"[ @<>=!~;\[]", Path(requirement).name if "/" in requirement.split("@")[0] else requirement)[0]


def _refusal(message: str, **details: Any) -> KineographError:
    return UnavailableError(ErrorCode.MODEL_UNAVAILABLE, message, details)


class _Notes:
    """Which steps are done, of which recipe and which release of ours."""

    def __init__(self, file: Path, recipe: Recipe, *, fresh: bool) -> None:
        self._file = file
        self._of = f"{recipe.sha256} {__version__}"
        try:
            raw = json.loads(file.read_text("utf-8"))
            self.done: list[str] = list(raw["done"])
            self.is_other = raw["of"] != self._of or fresh
        except FileNotFoundError:
            self.done, self.is_other = [], fresh
        except (OSError, ValueError, KeyError, TypeError):
            self.done, self.is_other = [], True

    def add(self, key: str) -> None:
        self.done.append(key)
        files.write_json(self._file, {"of": self._of, "done": self.done})

    def clear(self) -> None:
        self.done = []
        self._file.unlink(missing_ok=True)
