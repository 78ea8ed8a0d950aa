# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the catalogue: where it is met in a scene for real, or why this add-on cannot meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.blender import fake_layout, measure, scenes

from kineograph.fixes import all_rows
from kineograph_blender.bridge import marks
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as direction
from kineograph_blender.draw import sent

MODEL, LINK, SCENE, OLD = (f"test_{n}problems.py" for n in ("model_", "link_", "scene_", ""))
A_JOB = f"{MODEL}::test_a_job_that_a_model_ends"
MEANWHILE = f"{MODEL}::test_what_is_tried_again_by_itself_can_be_mended_meanwhile"
NOTES = "test_every_problem.py::test_a_note_before_anything_is_sent"

MET: dict[str, tuple[str, ...]] = {
    "schema_validation": (f"{SCENE}::test_a_pin_without_a_direction", f"{SCENE}::test_a_path_without_a_length"),
    "unknown_model": (f"{OLD}::test_a_model_that_is_not_here",),
    "retargeting_unsupported": (f"{MODEL}::test_a_rig_that_the_model_cannot_move",),
    "unsupported_constraint": (f"{MODEL}::test_a_pin_that_the_model_does_not_follow",),
    "unsupported_segment": (f"{MODEL}::test_a_stretch_without_a_prompt_that_the_model_cannot_fill",),
    "unknown_joint": (
        f"{OLD}::test_a_pin_on_a_bone_that_is_not_there",
        f"{OLD}::test_the_bone_is_renamed_with_every_reference",
        f"{OLD}::test_a_pin_is_left_out",
    ),
    "invalid_skeleton": (f"{OLD}::test_several_roots",),
    "frame_out_of_range": (
        f"{SCENE}::test_a_range_that_ends_before_it_starts",
        f"{MODEL}::test_a_motion_that_is_too_short_for_the_model",
    ),
    "invalid_options": (
        f"{OLD}::test_too_many_samples",
        f"{OLD}::test_an_option_that_the_model_does_not_have",
    ),
    "invalid_request": (f"{MODEL}::test_parts_that_contradict_each_other",),
    "version_unsupported": (f"{LINK}::test_a_daemon_of_another_age",),
    "unauthorized": (f"{LINK}::test_a_daemon_that_does_not_know_this_key",),
    "forbidden": (f"{LINK}::test_a_daemon_that_does_not_know_this_key",),
    "payload_too_large": (f"{MODEL}::test_a_request_that_is_too_large",),
    "rate_limited": (f"{MODEL}::test_a_turn_is_waited_for_without_a_word_from_the_user",),
    "internal_error": (A_JOB,),
    "resource_exhausted": (MEANWHILE,),
    "model_unavailable": (f"{MODEL}::test_a_model_whose_weights_are_not_there",),
    "timeout": (MEANWHILE,),
    "request_not_found": (f"{LINK}::test_a_job_that_somebody_forgot_is_made_again",),
    "result_expired": (f"{LINK}::test_a_result_that_is_no_longer_kept",),
    "request_cancelled": (
        f"{OLD}::test_a_cancelled_job_is_no_problem",
        f"{MODEL}::test_cancel_while_it_waits_to_be_tried_again",
    ),
    "concurrency_limit": (f"{MODEL}::test_slots_that_others_hold",),
    "queue_full": (f"{LINK}::test_a_queue_that_is_full",),
    "quota_exceeded": (A_JOB,),
    "content_policy_violation": (A_JOB, f"{MODEL}::test_a_refused_prompt_is_written_anew"),
    "generation_failed_no_content": (A_JOB,),
    "invalid_parameters": (f"{MODEL}::test_a_field_that_the_service_does_not_take",),
    "service_unavailable": (MEANWHILE,),
    "daemon_unreachable": (
        f"{LINK}::test_a_daemon_that_does_not_run_is_started",
        f"{OLD}::test_without_a_daemon_there_is_a_button",
    ),
    "handshake_timeout": (f"{LINK}::test_a_daemon_that_stays_silent",),
    "daemon_restarted": (f"{LINK}::test_a_daemon_that_crashed_and_came_back",),
    "protocol_mismatch": (f"{LINK}::test_a_daemon_of_another_age",),
    "bad_response": (f"{LINK}::test_an_answer_that_makes_no_sense",),
    "connection_failed": (f"{LINK}::test_a_computer_beyond_this_one",),
    "rig_changed": (f"{OLD}::test_a_rig_deleted_while_its_job_runs_is_applied_to_another",),
    "apply_blocked": (
        f"{OLD}::test_what_keeps_a_take_from_being_written",
        f"{OLD}::test_uneven_scale_is_applied_before_generating",
        f"{OLD}::test_a_linked_armature_gets_an_override",
    ),
    "file_unreadable": (
        f"{SCENE}::test_a_take_whose_file_is_damaged",
        f"{SCENE}::test_a_take_that_cannot_be_read_is_put_aside",
    ),
    "prompt_not_in_pack": (A_JOB,),
    "take_edited": (
        "test_takes.py::test_an_edited_take_is_never_written_over",
        "test_takes.py::test_keep_my_edits_changes_nothing",
    ),
    "path_too_fast": (NOTES,),
    "target_out_of_reach": (NOTES,),
    "too_long_for_model": (NOTES,),
    "text_not_understood": (NOTES,),
    "key_outside_blocks": (
        f"{SCENE}::test_a_block_shortened_below_its_pin",
        f"{SCENE}::test_a_key_after_the_last_block",
    ),
    "fps_differs": (NOTES,),
    "block_shorter_than_transition": (NOTES,),
}
"""Code to the tests that raise it, read it, press what is offered and go on."""

NEVER = {
    "idempotency_conflict": "each sending has an id of its own",
    "image_processing_error": "the add-on sends no video",
    "profile_missing": "only the folder watcher asks for a profile",
    "map_incomplete": "a bone that nobody knows is shown in the Bones panel and stops nothing",
    "ambiguous_map": "two readings of a bone are shown in the Bones panel and stop nothing",
    "file_incomplete": "only the folder watcher reads files that are still being copied",
    "duplicate_input": "only the folder watcher meets the same file twice",
    "control_unmapped": "the add-on writes to bones; a control that is not complete is left alone",
    "ground_unreachable": "the add-on sends no ground",
    "motion_interpolated": "told in a take's report, after the fact",
}
"""Code to the reason why no scene can raise it."""


def test_every_row_is_met_or_cannot_be() -> None:
    rows = {str(row.code) for row in all_rows()}
    assert rows == MET.keys() | NEVER.keys(), rows ^ (MET.keys() | NEVER.keys())
    assert not MET.keys() & NEVER.keys()
    for code, tests in MET.items():
        assert tests, code
        for test in tests:
            file, _, name = test.partition("::")
            assert f"def {name}(" in Path(__file__).with_name(file).read_text("utf-8"), (code, test)


@pytest.mark.parametrize(
    ("code", "says", "facts"),
    [
        ("path_too_fast", "m/s", {}),
        ("target_out_of_reach", "cm out of reach of 'RightHand'", {}),
        ("too_long_for_model", "takes up to 2 s", {"limits": {"max_duration_seconds": 2.0}}),
        ("text_not_understood", "does not read text: 'waves' has no effect", {"text": "ignored"}),
        ("fps_differs", "The scene runs at 24 fps, 'm' at 30; the motion is resampled.", {"fps": 30.0}),
        ("block_shorter_than_transition", "has 3 frames, the blend takes 5", {}),
    ],
)
def test_a_note_before_anything_is_sent(addon: Any, code: str, says: str, facts: dict[str, Any]) -> None:
    armature = scenes.simple()
    blocks = [Block(1, 3, "waves"), Block(4, 100, "walks")] if code.startswith("block") else [Block(1, 100, "waves")]
    direction.write(armature, blocks)
    if code == "path_too_fast":
        marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -60, 0)]), armature)
    if code == "target_out_of_reach":
        marks.mark_pin(scenes.empty((9, 9, 3)), armature, "RightHand", frames=(60, 60))
    out = measure.gather(armature, blocks=direction.read(armature))
    model = {"id": "m", "any_fps": "fps" not in facts, **facts}
    (note,) = sent.advice([out], model)
    assert says in note.text
    assert fake_layout.draw("problems") is None, "a note refuses nothing"
