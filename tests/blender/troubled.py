# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon whose models fail as the prompt says, shared by the tests of a module, and the way through the panel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout
from tests.blender.house import House, wait_until

from kineograph.client import LinkState
from kineograph_blender import session

FLAGS = (
    "--only-backbones", "--backbone", "kineograph-interpolate", "--backbone", "tests.fakes.troubles:everything",
)  # fmt: skip


@contextmanager
def house(*flags: str, **environment: str) -> Iterator[House]:
    """A home of its own that ``KINEOGRAPH_HOME`` names, with a daemon to be started; both gone at the end."""
    before = os.environ.get("KINEOGRAPH_HOME")
    with TemporaryDirectory(prefix="kg-", ignore_cleanup_errors=True) as home:
        os.environ["KINEOGRAPH_HOME"] = home
        made = House(Path(home), *FLAGS, *flags, KINEOGRAPH_FAKE_WEIGHTS=str(Path(home) / "weights"), **environment)
        try:
            yield made
        finally:
            session.detach()
            made.stop()
            if before is None:
                del os.environ["KINEOGRAPH_HOME"]
            else:
                os.environ["KINEOGRAPH_HOME"] = before


@pytest.fixture(scope="module")
def troubled() -> Iterator[House]:
    """One daemon for the tests of a module."""
    with house() as made:
        made.start()
        yield made


@pytest.fixture
def hero(troubled: House, addon: Any) -> Any:
    """A character, and the model that fails as its prompt says."""
    return asking("troubled")


def ready() -> None:
    """Wait until the daemon has answered: on a busy machine that may take longer than a first request has patience."""
    session.current().connect()
    wait_until(lambda: session.current().poll() or session.current().link is LinkState.READY)


def asking(model: str = "troubled") -> Any:
    """A character whose scene asks this model, with a seed that it does not take."""
    armature = trial.hero()
    settings = bpy.context.scene.kineograph
    settings.model, settings.seed, settings.new_seed = model, 7, False
    armature.kineograph.prompt = "walks"
    return armature


def fails(armature: Any, prompt: str = "") -> str:
    """Press Generate; what the Problems panel says once the job has ended."""
    armature.kineograph.prompt = prompt or armature.kineograph.prompt
    bpy.ops.kineograph.generate()
    job = trial.settled()
    assert job.error is not None, "it did not fail"
    return trial.problem()


def waits(armature: Any, prompt: str = "") -> session.Job:
    """Press Generate; the job, once it waits to be tried again by itself."""
    armature.kineograph.prompt = prompt or armature.kineograph.prompt
    bpy.ops.kineograph.generate()
    job = session.current().jobs[-1]
    wait_until(lambda: session.current().poll() and job.retry is not None)
    return job


def goes_on() -> Any:
    """Press Send again; the row of the take that comes, with nothing left to mend."""
    trial.shown("problems").button("Send again").press()
    job = trial.settled()
    assert job.error is None, job.error
    assert fake_layout.draw("problems") is None, trial.problem()
    return job.row
