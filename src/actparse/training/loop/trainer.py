"""The training loop: train a task for a number of steps, on one device or several, with resuming.

All random numbers of a step derive from (seed, step): a run that was stopped and resumed gives the same result as an
uninterrupted run, and so does a run whose batches are made by worker processes. The task sets the optimiser and its
learning rates: AdamW in one cycle or SGD in steps.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import cv2
import torch

from actparse.core.errors import TrainingError
from actparse.stages.memory import keep_freed_memory
from actparse.training.loop import ranks
from actparse.training.loop.batches import load_batches
from actparse.training.loop.estimate import estimate
from actparse.training.loop.hardware import Hardware, put_channels_last
from actparse.training.loop.interrupts import postponed_interrupts
from actparse.training.loop.learner import Learner
from actparse.training.loop.logs import RunLog
from actparse.training.loop.plans import new_plan, resumed_plan
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan, RunFolder, write_json
from actparse.training.task import Task


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
    """Take the remaining steps; the first process writes the log and the checkpoints and does the held-out checks."""
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
                is_check = options.check_every is not None and (step % options.check_every == 0 or is_last)
                if is_check and log.add_check(step, learner.check(), task.metric):
                    learner.save(run.best, log.state())
                if is_last or is_interrupted or time.monotonic() - saved_at >= options.checkpoint_seconds:
                    learner.save(run.checkpoint, log.state())
                    saved_at = time.monotonic()
            if is_interrupted:
                raise KeyboardInterrupt
