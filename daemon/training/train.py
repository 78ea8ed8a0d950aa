# SPDX-License-Identifier: Apache-2.0
"""Train ``kineograph-starter``.

    python -m training.train --data motion_train.npz [more.npz ...] --out RUN [--minutes 25] [--steps 40000]

Goes on from ``RUN/last.pt`` when it is there; ``--call-minutes`` ends one call of several early and in order. The same
seed gives the same weights on one device; batches depend on the seed and the step's number alone. It
stops at ``--steps``, or when ``--minutes`` are over: the learning rate falls with whichever is nearer its end, so that
a run cut by the clock ends well too. ``RUN/best.pt`` has the averaged weights that did best on recordings held back.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training import bends, data, gaits, losses, tasks
from training.model import Shape, Starter
from training.validate import Validation

NOISY_SHARE = 0.25
"""Windows that begin from a noisy motion, for the stepwise way of generating."""
CLIP_NORM = 1.0


@dataclass
class Settings:
    """What a run is; saved with it. ``frames`` is how many frames a batch has in all."""

    seed: int = 1
    frames: int = 4096
    rate: float = 1.2e-3
    warm_steps: int = 300
    decay: float = 0.03
    average: float = 0.998
    bf16: bool = False
    compile: bool = False
    workers: int = 0


class Batches(torch.utils.data.IterableDataset[dict[str, np.ndarray[Any, Any]]]):
    """Batches from a step on; each worker makes every n-th."""

    def __init__(self, source: tasks.Source, settings: Settings, start: int) -> None:
        self.source, self.settings, self.start = source, settings, start

    def __iter__(self) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        info = torch.utils.data.get_worker_info()
        step, stride = self.start + (info.id if info else 0), info.num_workers if info else 1
        while True:
            made = tasks.batch(self.source, self.settings.seed, step, self.settings.frames)
            yield {"step": np.array(step), **vars(made)}
            step += stride


@dataclass
class Run:
    """Everything that a check-point holds."""

    model: Starter
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    step: int = 0
    spent_s: float = 0.0
    best: float = math.inf

    def save(self, path: Path, settings: Settings, shape: Shape) -> None:
        """Written whole or not at all."""
        state = {
            "model": self.model.state_dict(), "average": self.average, "optimizer": self.optimizer.state_dict(),
            "step": self.step, "spent_s": self.spent_s, "best": self.best,
            "settings": asdict(settings), "shape": asdict(shape),
        }  # fmt: skip
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def restore(self, path: Path, device: torch.device) -> None:
        """Go on from a check-point."""
        state = torch.load(path, map_location=device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.step, self.spent_s, self.best = state["step"], state["spent_s"], state["best"]


def measure_scales(model: Starter, source: tasks.Source, settings: Settings) -> None:
    """Means and spreads of inputs and residuals, over some batches of another seed."""
    made = [tasks.batch(source, settings.seed + 1000, k, 4096) for k in range(24)]
    inputs = np.concatenate([m.inputs.reshape(-1, m.inputs.shape[-1]) for m in made])
    truth = np.concatenate([m.truth[m.free] for m in made])
    model.mean.copy_(torch.as_tensor(inputs.mean(0)))
    model.spread.copy_(torch.as_tensor(np.maximum(inputs.std(0), 0.05)))
    model.scale.copy_(torch.as_tensor(np.maximum(np.sqrt((truth**2).mean(0)), 0.01)))


def noised(batch: dict[str, Tensor], model: Starter, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Noisy residuals and their levels: most windows get nothing at the highest level, where the mean is asked for."""
    truth = batch["truth"] / model.scale
    rng = np.random.default_rng([seed, step, 7])
    b = len(truth)
    noisy = rng.random(b) < NOISY_SHARE
    level = torch.as_tensor(np.where(noisy, rng.random(b), 1.0), dtype=torch.float32, device=truth.device)
    noise = torch.as_tensor(rng.standard_normal(truth.shape, dtype=np.float32), device=truth.device)
    mixed = truth * (1 - level)[:, None, None] + noise * level[:, None, None]
    on = torch.as_tensor(noisy, device=truth.device)[:, None, None] & batch["free"][..., None]
    return torch.where(on, mixed, torch.zeros_like(mixed)), level


def loss_of(
    model: torch.nn.Module, plain: Starter, body: losses.Figure, batch: dict[str, Tensor], settings: Settings, step: int
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one batch and its terms."""
    noisy, level = noised(batch, plain, settings.seed, step)
    device = batch["truth"].device
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.bf16):
        out, logits = model(batch["inputs"], noisy, level, batch["style"])
    guess = out.float() * plain.scale * batch["free"][..., None]
    shares, _ = losses.terms(body, guess, logits.float(), batch)
    return losses.total(shares), {name: float(value.mean().detach()) for name, value in shares.items()}


def progress(run: Run, limit: argparse.Namespace) -> float:
    """How much of the run is over, 0 to 1."""
    by_steps = run.step / limit.steps
    by_clock = run.spent_s / (limit.minutes * 60) if limit.minutes else 0.0
    return min(1.0, max(by_steps, by_clock))


def rate_at(run: Run, settings: Settings, done: float) -> float:
    """Warm-up, then half a cosine down to a fiftieth."""
    warm = min(1.0, (run.step + 1) / settings.warm_steps)
    return settings.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def train(limit: argparse.Namespace, settings: Settings, shape: Shape) -> None:
    """The run."""
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
    if limit.threads:
        torch.set_num_threads(limit.threads)
    limit.out.mkdir(parents=True, exist_ok=True)
    taught, held = data.split(data.load(limit.data))
    source = tasks.Source([*data.copies(taught), *gaits.copies(taught), *bends.copies(taught)])
    model = Starter(shape)
    measure_scales(model, source, settings)
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, betas=(0.9, 0.98), weight_decay=settings.decay)
    run = Run(model, {k: v.clone() for k, v in model.state_dict().items()}, optimizer)
    last = limit.out / "last.pt"
    if last.exists():
        run.restore(last, device)
        print(f"going on from step {run.step}", flush=True)
    called: torch.nn.Module = torch.compile(model, dynamic=True) if settings.compile else model  # type: ignore[assignment]
    body = losses.Figure.on(device)
    validation = Validation([*held, *gaits.copies(held, 2), *bends.copies(held, 2)], device)
    _loop(limit, settings, shape, run, called, body, Batches(source, settings, run.step), validation)


def _loop(
    limit: argparse.Namespace,
    settings: Settings,
    shape: Shape,
    run: Run,
    called: torch.nn.Module,
    body: losses.Figure,
    batches: Batches,
    validation: Validation,
) -> None:
    device = body.offsets_m.device
    loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=settings.workers)
    sums: dict[str, float] = {}
    begun = since = time.monotonic()
    for made in loader:
        done = progress(run, limit)
        if done >= 1.0 or (limit.call_minutes and since - begun > limit.call_minutes * 60):
            break
        batch = {k: torch.as_tensor(v).to(device, non_blocking=True) for k, v in made.items()}
        for group in run.optimizer.param_groups:
            group["lr"] = rate_at(run, settings, done)
        loss, shares = loss_of(called, run.model, body, batch, settings, run.step)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), CLIP_NORM)
        run.optimizer.step()
        _average(run, settings)
        run.step += 1
        now = time.monotonic()
        run.spent_s, since = run.spent_s + now - since, now
        for name, value in shares.items():
            sums[name] = sums.get(name, 0.0) + value
        if run.step % limit.every == 0:
            _report(limit, settings, shape, run, validation, {k: v / limit.every for k, v in sums.items()})
            sums = {}
    _report(limit, settings, shape, run, validation, {})


@torch.no_grad()
def _average(run: Run, settings: Settings) -> None:
    """The running average of the weights, faster in the beginning."""
    keep = min(settings.average, (1 + run.step) / (10 + run.step))
    for name, value in run.model.state_dict().items():
        run.average[name].lerp_(value, 1 - keep)


def _report(
    limit: argparse.Namespace,
    settings: Settings,
    shape: Shape,
    run: Run,
    validation: Validation,
    shares: dict[str, float],
) -> None:
    """Measure the averaged weights on what was held back, log, save."""
    now = {k: v.clone() for k, v in run.model.state_dict().items()}
    run.model.load_state_dict(run.average)
    figures = validation.measure(run.model)
    run.model.load_state_dict(now)
    line = {
        "step": run.step,
        "minutes": round(run.spent_s / 60, 2),
        "train": {k: round(v, 3) for k, v in shares.items()},
    }
    with (limit.out / "log.jsonl").open("a") as f:
        f.write(json.dumps({**line, "held": figures}) + "\n")
    print(json.dumps({**line, "held": figures}), flush=True)
    if figures["score"] < run.best:
        run.best = figures["score"]
        run.save(limit.out / "best.pt", settings, shape)
    run.save(limit.out / "last.pt", settings, shape)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--minutes", type=float, default=0.0, help="0: no limit")
    parser.add_argument("--call-minutes", type=float, default=0.0, help="end this call, not the run; 0: no limit")
    parser.add_argument("--every", type=int, default=500, help="steps between measurements and check-points")
    parser.add_argument("--threads", type=int, default=0)
    for name, default in (("width", 192), ("depth", 6), ("heads", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, kind in (("seed", int), ("frames", int), ("rate", float), ("workers", int), ("average", float)):
        parser.add_argument(f"--{name}", type=kind, default=getattr(Settings, name))
    for name in ("bf16", "compile"):
        parser.add_argument(f"--{name}", action="store_true")
    a = parser.parse_args()
    settings = Settings(
        seed=a.seed, frames=a.frames, rate=a.rate, workers=a.workers, average=a.average, bf16=a.bf16, compile=a.compile
    )
    train(a, settings, Shape(a.width, a.depth, a.heads))


if __name__ == "__main__":
    main()
