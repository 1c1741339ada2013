"""The plan of a run: new, with its number of steps, or from the run's folder, if the options still fit."""

from __future__ import annotations

import copy
import math
import time

import torch

from actparse.core.errors import TrainingError
from actparse.training.loop import ranks
from actparse.training.loop.batches import load_batches
from actparse.training.loop.hardware import Hardware
from actparse.training.loop.learner import Learner
from actparse.training.options import TrainOptions
from actparse.training.recipes.tiny_changes import expect_same_changes
from actparse.training.run_folder import Plan, RunFolder, read_plan
from actparse.training.task import Task, steps_per_epoch
from actparse.weights.bundle import file_sha256

NUM_WARM_STEPS = 6  # before the speed is measured
NUM_MEASURED_STEPS = 30


def resumed_plan(task: Task, run: RunFolder, options: TrainOptions) -> Plan:
    """Read the plan of an interrupted run.

    Raises:
        TrainingError: the plan is missing, or the run has another batch size, other data or other changes.
    """
    plan, batch_size = read_plan(run), task.settings.batch_size
    if plan.batch_size != batch_size:
        raise TrainingError(
            f"{run.plan}: the run's batches hold {plan.batch_size}, got {batch_size}. "
            "Use a different --out to train again."
        )
    if plan.num_samples not in (None, task.num_samples):
        raise TrainingError(
            f"{run.plan}: the run trains on {plan.num_samples} samples, got {task.num_samples}. "
            "Use the same data, or a different --out to train again."
        )
    if options.size == "tiny":
        expect_same_changes(run.plan, plan.changes, options.changes)
    return plan


def new_plan(task: Task, run: RunFolder, options: TrainOptions, hardware: Hardware) -> Plan:
    """Make the plan of a new run; a length in minutes is converted to steps by a trial on a copy of the network.

    Raises:
        TrainingError: neither the options nor the task set a length.
    """
    batch_size, rule = task.settings.batch_size, task.settings.step_rule
    if options.minutes is not None:
        num_steps = _steps_in(options.minutes * 60, task, options, hardware)
    elif options.epochs is not None:
        num_steps = math.ceil(options.epochs * task.num_samples / batch_size)
    elif options.steps is not None:
        num_steps = options.steps
    elif rule is not None:
        num_steps = rule.epochs * steps_per_epoch(task.num_samples, batch_size)
    else:
        raise TrainingError(f"{run.name}: needs minutes, epochs or steps, got none")
    return Plan(
        num_steps=max(1, num_steps),
        seed=options.seed,
        batch_size=batch_size,
        start=file_sha256(options.init) if options.init is not None and options.init.is_file() else None,
        changes=dict(options.changes),
        num_samples=task.num_samples,
    )


def _steps_in(seconds: float, task: Task, options: TrainOptions, hardware: Hardware) -> int:
    """Return how many steps fit into a time, which includes that of the trial; the same in all processes."""
    start = time.monotonic()
    trial = copy.copy(task)
    trial.net, trial.helper = copy.deepcopy((task.net, task.helper))
    plan = Plan(NUM_WARM_STEPS + NUM_MEASURED_STEPS, options.seed, task.settings.batch_size)
    learner, times = Learner(trial, plan, hardware), []
    for pieces in load_batches(trial, plan, hardware, options):
        learner.take_step(pieces)
        times.append(time.monotonic())
    speed = NUM_MEASURED_STEPS / max(times[-1] - times[NUM_WARM_STEPS - 1], 1e-9)  # steps per second
    num_steps = torch.tensor((seconds - (times[-1] - start)) * speed, device=hardware.device)
    return int(ranks.mean_over_processes(num_steps))
