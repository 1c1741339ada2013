"""The training loop: train a task for a number of steps, on one device or several, with resuming.

All random numbers of a step derive from (seed, step): a run that was stopped and resumed gives the same result as an
uninterrupted run, and so does a run whose batches are made by worker processes. The task sets the optimiser and its
learning rates: AdamW in one cycle or SGD in steps.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict
from typing import Any

import cv2
import torch

from actparse.core.errors import TrainingError
from actparse.core.files import file_sha256
from actparse.core.signals import postponed_interrupts
from actparse.stages.memory import keep_freed_memory
from actparse.training.loop import ranks
from actparse.training.loop.batches import load_batches
from actparse.training.loop.estimate import estimate
from actparse.training.loop.hardware import Hardware, put_channels_last
from actparse.training.loop.learner import Learner
from actparse.training.loop.logs import RunLog
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan, RunFolder, read_plan, write_json
from actparse.training.task import Task, steps_per_epoch
from actparse.weights.bundle import config_to_dict

NUM_WARM_STEPS = 6  # before the speed is measured
NUM_MEASURED_STEPS = 30


def train(task: Task, run: RunFolder, options: TrainOptions, hardware: Hardware) -> Plan:
    """Train `task.net` in place, from the run's checkpoint if `options.resume` is set and a checkpoint exists.

    Raises:
        TrainingError: the run's folder holds another run or a damaged checkpoint, or the loss is not finite.
        KeyboardInterrupt: the run was interrupted; it has written a checkpoint.
    """
    if options.keep == "best" and options.check_every is None:
        raise TrainingError("train.keep is best, which needs checks on the way: --check-every, got none")
    resuming = run.checkpoint.is_file()
    if resuming and not options.resume:
        raise TrainingError(f"{run.folder} holds a run of {run.name} already: resume it, or choose another folder")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    keep_freed_memory()
    ranks.join_group(hardware.device.type)
    task.net.to(hardware.device)
    put_channels_last(task.net)
    plan = resumed_plan(task, run, options) if resuming else new_plan(task, run, options, hardware)
    if options.estimate or options.only_estimate:  # in all processes: a loss may be averaged over them
        options.report(estimate(task, plan, hardware, options.accumulate))
    if options.only_estimate:
        return plan
    if not resuming and ranks.rank() == 0:
        write_json(run.plan, asdict(plan))
    learner = Learner(task, plan, hardware)
    take_steps(learner, run, options, log_state=learner.load(run.checkpoint) if resuming else {})
    return plan


def take_steps(learner: Learner, run: RunFolder, options: TrainOptions, *, log_state: dict[str, Any]) -> None:
    """Take the remaining steps; the first process writes the log and the checkpoints."""
    task, num_steps = learner.task, learner.plan.num_steps
    batches = load_batches(task, learner.plan, learner.hardware, options, first=learner.step)
    log = RunLog(run, learner.plan, options, step=learner.step, state=log_state) if ranks.rank() == 0 else None
    saved_at = time.monotonic()
    with postponed_interrupts() as interrupts:
        for pieces in batches:
            losses = learner.take_step(pieces)
            step, is_last = learner.step, learner.step == num_steps
            is_interrupted = ranks.any_process(bool(interrupts))
            if log is not None:
                log.add(step, learner.learning_rate, losses)
            if options.check_every is not None and (step % options.check_every == 0 or is_last):
                started_at, metrics = time.monotonic(), learner.check()
                if log is not None and log.add_check(step, metrics, task.metric, started_at):
                    learner.save(run.best, log.state())
            is_due = is_last or is_interrupted or time.monotonic() - saved_at >= options.checkpoint_seconds
            if log is not None and is_due:
                learner.save(run.checkpoint, log.state())
                saved_at = time.monotonic()
            if is_interrupted:
                raise KeyboardInterrupt


def resumed_plan(task: Task, run: RunFolder, options: TrainOptions) -> Plan:
    """Read the plan of an interrupted run.

    Raises:
        TrainingError: the plan is missing, or the run has another batch size or other data.
    """
    plan, batch_size = read_plan(run), task.settings.batch_size
    if plan.batch_size != batch_size:
        raise TrainingError(
            f"{run.plan}: the run's batches hold {plan.batch_size}, got {batch_size}. "
            "Use a different --out to train again."
        )
    if plan.num_samples != task.num_samples:
        raise TrainingError(
            f"{run.plan}: the run trains on {plan.num_samples} samples, got {task.num_samples}. "
            "Use the same data, or a different --out to train again."
        )
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
        hyperparameters={} if task.hyperparameters is None else config_to_dict(task.hyperparameters),
        num_samples=task.num_samples,
        train_on=options.train_on,
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
