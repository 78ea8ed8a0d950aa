# SPDX-License-Identifier: Apache-2.0
"""The edits that fixes make to a request, by the name the catalogue gives them."""

from __future__ import annotations

from collections.abc import Mapping

from kineograph.fixes.edits import on_directions, on_frames, on_joints, on_options
from kineograph.fixes.edits.base import Edit, NotApplicable

EDITS: Mapping[str, Edit] = {
    edit.__name__: edit
    for edit in (
        on_joints.rename_joint_here,
        on_joints.rename_joint_everywhere,
        on_joints.rename_joints,
        on_joints.order_joints,
        on_joints.sort_joints,
        on_joints.only_below_root,
        on_joints.number_duplicates,
        on_frames.extend_to,
        on_frames.move_frame,
        on_frames.drop_outside_frames,
        on_frames.shorten,
        on_frames.half_length,
        on_frames.slow_down,
        on_directions.drop_constraint,
        on_directions.drop_constraints_of_type,
        on_directions.path_to_keys,
        on_directions.thin_constraints,
        on_directions.thin_keys,
        on_directions.free_segment,
        on_directions.free_segments_of_type,
        on_directions.segment_to_text,
        on_directions.merge_segments,
        on_directions.split_prompt,
        on_directions.replace_prompt,
        on_options.switch_model,
        on_options.set_option,
        on_options.reset_option,
        on_options.loop_off,
        on_options.fewer_samples,
        on_options.another_seed,
        on_options.fewer_steps,
        on_options.trim_reference,
        on_options.trim_video,
        on_options.add_root_track,
    )
}
"""Every edit but ``longer_deadline``, which changes no request (see ``apply``)."""

__all__ = ["EDITS", "Edit", "NotApplicable"]
