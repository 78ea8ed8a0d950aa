# SPDX-License-Identifier: Apache-2.0
"""The pictures of the panel in ``docs/images``: real motions, jobs in every state, painted by ``--screenshot``.

python docs/make_images.py            needs the extras daemon, gui and cli, and a display (or Xvfb)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

from tests.fakes.daemon import FakeDaemon  # noqa: E402

from kineograph import __version__, demo  # noqa: E402
from kineograph.client import Client  # noqa: E402
from kineograph.errors import error  # noqa: E402
from kineograph.wire import messages as m  # noqa: E402
from kineograph.wire.messages import JobResult, JobState, JobStatus, Method, Progress, ResultFormat  # noqa: E402

MODEL = "kineograph-starter"
MOST_BYTES = 110_000
_GOING_ON = (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)


def far_request() -> dict[str, Any]:
    """The demo with a pin that is out of reach."""
    request = demo.request(MODEL)
    pin = next(c for c in request["constraints"] if c["type"] == "effector_target")
    x, y, z = pin["positions"][0]
    pin["positions"] = [[x + 0.3, y + 0.55, z + 0.25]]
    return request


def real_results(requests: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], m.CapabilitiesReply]:
    """What a real daemon makes of them, as it travels."""
    out = []
    with Client(name="docs", start_daemon=True) as client:
        for request in requests:
            result = client.generate(request)
            reply = client._engine.call(Method.JOB_RESULT, JobResult(result.job.job, ResultFormat.ARRAYS)).result(10)
            out.append(reply.result)
        capabilities = client.capabilities()
        client.stop_daemon()
    return out, capabilities


def lefhand() -> tuple[dict[str, Any], dict[str, Any]]:
    """A request with a misspelt joint, and what a daemon says of it."""
    request = demo.request(MODEL)
    index = next(i for i, c in enumerate(request["constraints"]) if c["type"] == "effector_target")
    request["constraints"][index]["joint"] = "LefHand"
    details = {
        "where": {"path": ["constraints", index, "joint"], "ref": "Grab"},
        "got": "LefHand",
        "allowed": list(demo.character().names),
        "suggestions": ["LeftHand"],
    }
    return request, error("unknown_joint", "the joint 'LefHand' is not in the skeleton", details).to_envelope()


def fill(daemon: FakeDaemon, first: str, requests: dict[str, Any], results: dict[str, Any]) -> None:
    """Jobs in every state, ``first`` the newest."""
    now_s = time.time()
    wrong, why = lefhand()
    rows: list[tuple[str, dict[str, Any], Any, Any]] = [
        ("walk to the shelf", {"state": JobState.SUCCEEDED, "client": "blender:shot_020"}, requests["walk"],
         results["walk"]),
        ("reach for the lamp", {"state": JobState.SUCCEEDED, "client": "blender:shot_020"}, requests["far"],
         results["far"]),
        ("wave", {"state": JobState.FAILED, "error": why, "client": "blender:shot_031", "character": "Maid"}, wrong,
         None),
        ("turn and leave", {"state": JobState.RUNNING, "client": "blender:shot_020", "eta_s": 4.0,
                            "progress": Progress(0.62, 31, 50, "steps")}, requests["walk"], None),
        ("idle", {"state": JobState.QUEUED, "position": 1, "eta_s": 12.0, "client": "blender:shot_020"},
         requests["walk"], None),
        ("clip_0412", {"state": JobState.QUEUED, "position": 2, "eta_s": 19.0, "client": "watch/mocap",
                       "character": "Ogre"}, {}, None),
        ("sneak past", {"state": JobState.CANCELLING, "client": "panel:mia", "progress": Progress(0.3, 15, 50)},
         requests["far"], None),
        ("jump", {"state": JobState.CANCELLED, "client": "panel:mia", "progress": Progress(0.24, 12, 50)}, {}, None),
        ("old take", {"state": JobState.EXPIRED, "client": "cli:mia"}, {}, None),
    ]  # fmt: skip
    rows.sort(key=lambda row: row[0] != first)
    for number, (label, known, request, result) in enumerate(rows):
        job = str(uuid.uuid5(uuid.NAMESPACE_URL, label))
        fields = {
            "label": label,
            "model": MODEL,
            "prompt": " / ".join(part["prompt"] for part in request.get("segments", ()) if part.get("prompt")),
            "character": "Hero",
            "created_s": now_s - _age_s(known["state"], number),
        } | known
        if fields["state"] is not JobState.QUEUED:
            fields["started_s"] = fields["created_s"] + 2
        if fields["state"].is_final:
            fields["finished_s"] = fields["created_s"] + 2.8
        daemon.jobs.status[job] = JobStatus(job, **fields)
        daemon.jobs.requests[job] = request
        if result is not None:
            daemon.jobs.results[job] = result


def _age_s(state: JobState, number: int) -> float:
    """What goes on is young; the first row is the youngest."""
    if number == 0:
        return 4.0
    return 6.0 + number if state in _GOING_ON else 40.0 + 300.0 * number**2


def shoot(name: str, *arguments: str, **environment: str) -> None:
    """One picture, kept small."""
    file = OUT / f"{name}.png"
    command = [sys.executable, "-m", "kineograph_gui", "--screenshot", str(file), *arguments]
    subprocess.run(command, check=True, env={**os.environ, **environment})
    with Image.open(file) as picture:
        rgb = picture.convert("RGB")
        rgb.save(file, optimize=True)
        if file.stat().st_size > MOST_BYTES:
            rgb.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE).save(
                file, optimize=True
            )
    print(f"{file.relative_to(ROOT)}  {file.stat().st_size // 1024} kB")


def main() -> None:
    """All of them."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kg-docs-") as folder:
        os.environ["KINEOGRAPH_HOME"] = folder
        requests = {"walk": demo.request(MODEL), "far": far_request()}
        (walk, far), capabilities = real_results(list(requests.values()))
        saved = Path(folder) / "walk.kineograph.json"
        saved.write_text(json.dumps({"kineograph": 1, "character": "Hero", "request": requests["walk"]}))
        for name, first, arguments, scale in (
            ("first-run", "", ["--page", "first"], ""),
            ("queue", "walk to the shelf", ["--page", "queue"], ""),
            ("unknown-joint", "wave", ["--page", "queue"], ""),
            ("misses", "reach for the lamp", ["--page", "queue"], ""),
            ("new-job", "", [str(saved), "--page", "new"], ""),
            ("dark", "walk to the shelf", ["--page", "queue", "--theme", "dark"], ""),
            ("scale-200", "wave", ["--page", "queue", "--size", "900x560"], "2"),
        ):
            (Path(folder) / name).mkdir()
            with FakeDaemon(Path(folder) / name) as daemon:
                hello = replace(daemon._hello(m.Hello()), daemon_version=__version__)
                daemon.on(Method.HELLO, lambda body, told=hello: told)
                daemon.on(Method.CAPABILITIES, lambda body: capabilities)
                worker = {"id": "w1", "device": "cpu", "state": "ready"}
                stats = m.DaemonStats(daemon.epoch, __version__, 4711, 90.0, False, {}, [worker], 57 * 2**20, 0)
                daemon.on(Method.DAEMON_STATS, lambda body, told=stats: told)
                fill(daemon, first, requests, {"walk": walk, "far": far})
                theme = [] if "--theme" in arguments else ["--theme", "light"]
                extra = {"QT_SCALE_FACTOR": scale} if scale else {}
                shoot(name, *arguments, *theme, "--connect", daemon.endpoint, **extra)


if __name__ == "__main__":
    main()
