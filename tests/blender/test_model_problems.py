# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model can answer, raised for real by one, read in the panel, mended by its button, and tried again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, scenes
from tests.blender.house import House, wait_until
from tests.blender.troubled import asking, fails, goes_on, hero, ready, troubled, waits

from kineograph_blender import api, session

pytestmark = pytest.mark.daemon
__all__ = ["hero", "troubled"]


@pytest.fixture(autouse=True)
def linked(troubled: House, addon: Any) -> Iterator[None]:
    """A session of this test's own, connected."""
    ready()
    yield
    session.detach()


@pytest.mark.parametrize(
    ("prompt", "said", "button"),
    [
        ("breaks", "The model 'troubled' failed. Your scene is unchanged.", "Try once with seed 8"),
        ("crash", "The model failed. Your scene is unchanged.", "Try once with seed 8"),
        ("vague", "'troubled' returned no motion.", "Try once with seed 8"),
        ("violence", "refused the prompt (violence)", "Use 'kineograph-interpolate' on this computer"),
        ("credits", "Plan limit reached; resets 18:00.", "Use 'kineograph-interpolate' on this computer"),
        ("limps upstairs", "knows 125 phrases for 'troubled', not 'limps upstairs'", "Use 'limps'"),
    ],
)
def test_a_job_that_a_model_ends(hero: Any, prompt: str, said: str, button: str) -> None:
    assert said in fails(hero, prompt)
    trial.mend(button)
    row = goes_on()
    assert row.seed == (8 if "seed" in button else 7)
    settings = bpy.context.scene.kineograph
    assert settings.model == ("kineograph-interpolate" if "computer" in button else "troubled")
    assert settings.seed == row.seed


def test_a_motion_that_is_too_short_for_the_model(hero: Any) -> None:
    """The take is as long as the mended request, not as long as the one that failed."""
    assert "A key at frame 70 is after the end (1-60)." in fails(hero, "short")
    trial.mend("Extend the last prompt to 70")
    assert "The range is 1 to 70 now." in trial.problem()
    assert goes_on().frames == 70
    bpy.ops.kineograph.generate()
    assert trial.settled().row.frames == 70


def test_half_the_length_is_the_range_of_the_next_time_too(hero: Any) -> None:
    bpy.context.scene.kineograph.samples = 2
    waits(hero, "memory")
    trial.mend("Half the length")
    trial.mend("1 sample")
    assert goes_on().frames == 30
    settings = bpy.context.scene.kineograph
    assert (settings.span, settings.start, settings.end) == ("OWN", 1, 30)


def test_a_known_phrase_takes_the_prompts_place_in_the_scene_too(hero: Any) -> None:
    fails(hero, "limps upstairs")
    trial.mend("Use 'limps'")
    assert goes_on().prompt == "limps"
    assert hero.kineograph.prompt == "limps"


def test_a_refused_prompt_is_written_anew(hero: Any) -> None:
    fails(hero, "violence")
    trial.mend("Edit the prompt", value="waves")
    assert goes_on().prompt == "waves"
    assert hero.kineograph.prompt == "waves"


@pytest.mark.parametrize(
    ("prompt", "said", "button"),
    [
        ("memory", "Needs 9.1 GB, 6.3 GB free.", "1 sample"),
        ("late", "Stopped after 120 s at step 31 of 50.", "25 steps"),
        ("service", "Service problem, retrying in 60 s", "Use 'kineograph-interpolate' on this computer"),
    ],
)
def test_what_is_tried_again_by_itself_can_be_mended_meanwhile(hero: Any, prompt: str, said: str, button: str) -> None:
    bpy.context.scene.kineograph.samples = 2
    job = waits(hero, prompt)
    assert "trying again in" in trial.shown("generate").text
    assert said in trial.problem()
    trial.mend(button)
    row = goes_on()
    assert row.samples == (1 if prompt == "memory" else 2)
    assert job not in session.current().jobs, "the one that waited is given up"


def test_a_turn_is_waited_for_without_a_word_from_the_user(hero: Any) -> None:
    waits(hero, "busy")
    assert "Waiting 1 s (2 ahead)." in trial.problem()
    assert trial.settled().error is None
    assert fake_layout.draw("problems") is None


def test_slots_that_others_hold(hero: Any) -> None:
    assert "1 of 1 slots in use by 'shot_020'." in fails(hero, "slots")
    trial.mend("Wait in the queue")
    goes_on()


def test_cancel_while_it_waits_to_be_tried_again(hero: Any) -> None:
    job = waits(hero, "service")
    trial.shown("generate").button("Cancel").press()
    assert job.is_done
    assert fake_layout.draw("problems") is None
    assert "Cancelled by you." in " ".join(trial.shown("generate").text.split())


def test_a_field_that_the_service_does_not_take(hero: Any) -> None:
    wait_until(lambda: session.current().poll() or session.current().models.every)
    bpy.ops.kineograph.set_option(option="warmth", value="3")
    assert "'options.model options.warmth' is 3" in fails(hero, "warm")
    trial.mend("Reset 'options.model options.warmth'")
    assert not len(bpy.context.scene.kineograph.options)
    goes_on()


def test_parts_that_contradict_each_other(hero: Any) -> None:
    said = fails(hero, "apart")
    assert "do not go together: keys and this prompt contradict each other" in said
    trial.mend("Copy report")
    hero.kineograph.keys = "none"
    bpy.ops.kineograph.generate()
    assert trial.settled().error is None
    assert fake_layout.draw("problems") is None


def test_a_model_whose_weights_are_not_there(addon: Any, troubled: House) -> None:
    armature = asking("heavy")
    job = waits(armature)
    assert "'heavy' could not be loaded: no weights there." in trial.problem()
    trial.mend("Show what went wrong")
    assert "no weights there" in trial.problem()
    (troubled.home / "weights").touch()
    trial.mend("Restart the model")
    assert job.is_done
    assert goes_on().model == "heavy"


def test_a_rig_that_the_model_cannot_move(addon: Any, troubled: House) -> None:
    armature = asking("own")
    (troubled.home / "weights").touch()
    assert "only moves its own skeleton. 'Hero' differs: 2 missing (x0, x1)" in fails(armature)
    trial.mend("Use 'heavy'")
    assert goes_on().model == "heavy"


def test_a_pin_that_the_model_does_not_follow(addon: Any, troubled: House) -> None:
    armature = asking("narrow")
    api.mark_pin(scenes.empty((0.7, -0.2, 1.4)), armature, "LeftHand", frames=(28, 32))
    assert "cannot follow pins (it takes: pose keys). 1 pin is affected." in fails(armature)
    trial.mend("Generate without pins (they stay in the scene)")
    assert not armature.kineograph.use_pins
    goes_on()


def test_a_stretch_without_a_prompt_that_the_model_cannot_fill(addon: Any, troubled: House) -> None:
    armature = asking("narrow")
    (troubled.home / "weights").touch()
    armature.kineograph.prompt = ""
    assert "'narrow' takes text, not free blocks." in fails(armature)
    trial.mend("Use 'heavy'")
    goes_on()


@pytest.mark.parametrize("button", ["Keep every second key", "Use only deform bones", "Half the length"])
def test_a_request_that_is_too_large(addon: Any, troubled: House, button: str) -> None:
    armature = asking("narrow")
    armature.kineograph.bones = "all"
    for bone in list(armature.data.bones)[7:]:
        bone.use_deform = False
    scenes.key_poses(armature, [b.name for b in armature.data.bones], "Hips", frames=range(1, 61, 1), travel=0.3)
    assert "limit 40" in fails(armature)
    trial.mend(button)
    goes_on()
