# SPDX-License-Identifier: Apache-2.0
"""What a fix does: the request is changed by ``apply``; scene, settings, link, daemon and report are the client's.

The lists are closed, so that a client can be tested against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict


class Target(StrEnum):
    """Who carries a fix out."""

    REQUEST = "request"
    SCENE = "scene"
    SETTINGS = "settings"
    LINK = "link"
    DAEMON = "daemon"
    REPORT = "report"


class SceneAction(StrEnum):
    """What is done in the scene or the window in front of the user."""

    SELECT = "select"
    RENAME_BONES = "rename_bones"
    CHOOSE_JOINT = "choose_joint"
    CHOOSE_ROOT = "choose_root"
    USE_DEFORM_BONES = "use_deform_bones"
    IMPORT_MODEL_RIG = "import_model_rig"
    EDIT_PROMPT = "edit_prompt"
    GO_TO_FIELD = "go_to_field"
    CHOOSE_FILE = "choose_file"
    CONVERT_VIDEO = "convert_video"
    TRIM_VIDEO = "trim_video"
    RESTORE_TAKE = "restore_take"
    APPLY_TO = "apply_to"
    KEEP_ON_SHELF = "keep_on_shelf"
    MAKE_OVERRIDE = "make_override"
    UNLOCK_CHANNELS = "unlock_channels"
    LEAVE_TWEAK_MODE = "leave_tweak_mode"
    SHOW_POSE_POSITION = "show_pose_position"
    MUTE_DRIVERS = "mute_drivers"
    APPLY_SCALE = "apply_scale"
    EDIT_MAP = "edit_map"
    PICK_POLE = "pick_pole"
    EDIT_PROFILE = "edit_profile"
    KEEP_EDITS = "keep_edits"
    NEW_ACTION = "new_action"
    OPEN_SAVED_RESULT = "open_saved_result"
    TURN_RANGE = "turn_range"


class SettingsAction(StrEnum):
    """What is remembered."""

    SAVE_JOINT_ALIAS = "save_joint_alias"
    REMEMBER_MODEL = "remember_model"
    RETARGET_HERE = "retarget_here"
    READ_KEY = "read_key"
    LOWER_WATCHER_PRIORITY = "lower_watcher_priority"
    RAISE_QUEUE_LIMIT = "raise_queue_limit"
    PAUSE_WATCHER = "pause_watcher"
    ACCEPT_GUESS = "accept_guess"
    MOVE_TO_NEEDS_MAP = "move_to_needs_map"
    WRITE_FK = "write_fk"


class LinkAction(StrEnum):
    """What is done with jobs, files in the queue and the connection."""

    SUBMIT_AS_NEW = "submit_as_new"
    SUBMIT_INTERRUPTED = "submit_interrupted"
    DISMISS = "dismiss"
    FORGET_JOB = "forget_job"
    CANCEL_JOB = "cancel_job"
    WAIT = "wait"
    QUEUE_BEHIND = "queue_behind"
    SHOW_JOB = "show_job"
    HOLD_UNTIL = "hold_until"
    RECONNECT = "reconnect"
    ADOPT_DAEMON = "adopt_daemon"
    UPDATE_OLDER = "update_older"
    RETRY_FILE = "retry_file"
    SKIP_FILE = "skip_file"
    PROCESS_ANYWAY = "process_anyway"


class DaemonAction(StrEnum):
    """What is asked of the daemon."""

    START = "start"
    START_OWN = "start_own"
    RESTART = "restart"
    RESTART_MODEL = "restart_model"
    RUN_ON_CPU = "run_on_cpu"
    OTHER_DEVICE = "other_device"
    UNLOAD_IDLE_MODELS = "unload_idle_models"
    ENCODE_PROMPT = "encode_prompt"


class ReportAction(StrEnum):
    """What is shown or copied."""

    COPY_REPORT = "copy_report"
    SAVE_REPORT = "save_report"
    COPY_REQUEST = "copy_request"
    OPEN_LOG = "open_log"
    SHOW_LOAD_ERROR = "show_load_error"
    PROMPT_TIPS = "prompt_tips"


ACTIONS_OF: Mapping[Target, type[StrEnum]] = {
    Target.SCENE: SceneAction,
    Target.SETTINGS: SettingsAction,
    Target.LINK: LinkAction,
    Target.DAEMON: DaemonAction,
    Target.REPORT: ReportAction,
}
"""The closed list of actions for every target but the request, whose actions are functions (``edits``)."""


class NotApplicable(ValueError):
    """The fix does not fit this request; the text says why."""


class Patch(TypedDict):
    """What a fix does, as plain data."""

    target: str
    action: str
    args: dict[str, Any]
