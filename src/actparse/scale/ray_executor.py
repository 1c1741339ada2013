"""Workers as Ray actors, on this machine or on a cluster; nodes may come and go."""

from __future__ import annotations

import logging
import os
import platform
import time
from dataclasses import replace
from typing import Any

from actparse.core.errors import ConfigError
from actparse.scale.executors import Answer
from actparse.scale.manifest import Entry
from actparse.scale.worker import Outcome, Worker, WorkSettings

RESIZE_SECONDS = 2.0  # between two looks at the resources of the cluster
OBJECT_STORE_BYTES = 128 << 20  # of a cluster of this machine; only outcomes go through it
LOCAL = "local"  # address of a cluster of this machine that ends with the driver


class RayWorker:
    """The actor: a worker in a process of Ray."""

    def __init__(self, settings: WorkSettings) -> None:
        self._worker = Worker(settings, f"{platform.node()}-{os.getpid()}")

    def ready(self) -> str:
        """Return the worker's name as soon as the actor runs."""
        return self._worker.name

    def parse(self, entry: Entry) -> Outcome:
        """Parse a video; see `Worker.parse`."""
        return self._worker.parse(entry)


class RayExecutor:
    """One actor for each share of the cluster's CPUs and GPUs; dead ones are replaced."""

    def __init__(
        self,
        settings: WorkSettings,
        *,
        address: str | None = None,
        num_workers: int | None = None,
        cpus: float = 1.0,
        gpus: float = 0.0,
    ) -> None:
        """Connect to a cluster, or start one on this machine.

        Args:
            settings: of the workers.
            address: of the cluster, "auto" or host:port or ray://host:10001; None uses RAY_ADDRESS or this machine.
            num_workers: number of actors; None is as many as the cluster has resources for, at each moment.
            cpus: CPUs of one actor.
            gpus: GPUs of one actor; a fraction shares one.

        Raises:
            ConfigError: there is no such cluster, or this machine has too few resources for one worker.
        """
        import ray

        self._ray = ray
        where = address or os.environ.get("RAY_ADDRESS") or LOCAL
        memory = {"object_store_memory": OBJECT_STORE_BYTES} if where == LOCAL else {}
        try:
            context = ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR, **memory)
        except (ConnectionError, RuntimeError, ValueError) as error:
            line = str(error).strip().splitlines()[0]
            raise ConfigError(f"address must be that of a Ray cluster, got {address!r}: {line}") from None
        url = context.dashboard_url
        self.dashboard: str | None = f"http://{url}" if url else None
        self._settings, self._cpus, self._gpus = settings, cpus, gpus
        self._actor: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(RayWorker)
        self._fixed_size = num_workers
        self._size, self._next_resize = 0, 0.0
        self._starting: dict[Any, Any] = {}  # reference to the name -> actor
        self._actors: dict[str, Any] = {}
        self._free: list[str] = []
        self._running: dict[Any, tuple[str, Entry]] = {}  # reference to the outcome -> worker, video
        self._resize()
        if self._size == 0:
            self.close()
            raise ConfigError(f"cpus and gpus of a worker must be in the cluster, got {cpus:g} and {gpus:g}")

    def describe(self) -> str:
        """Return what runs the workers, in a few words."""
        nodes = sum(bool(node["Alive"]) for node in self._ray.nodes())
        return f"{self._size} Ray workers on {nodes} {'node' if nodes == 1 else 'nodes'}"

    def num_workers(self) -> int:
        """Return how many workers there are, or will be when they have started."""
        return self._size

    def free_workers(self) -> list[str]:
        """Return the names of the workers that wait for a video."""
        return list(self._free)

    def submit(self, worker: str, entry: Entry) -> None:
        """Give a video to a free worker."""
        self._free.remove(worker)
        self._running[self._actors[worker].parse.remote(entry)] = (worker, entry)

    def wait(self, seconds: float) -> list[Answer]:
        """Return what has been answered since the last call, after at most some seconds."""
        self._resize()
        references = [*self._running, *self._starting]
        if not references:
            time.sleep(seconds)
            return []
        finished, _ = self._ray.wait(references, num_returns=1, timeout=seconds)
        finished, _ = self._ray.wait(references, num_returns=len(references), timeout=0) if finished else ([], [])
        answers = []
        for reference in finished:
            if reference in self._starting:
                self._add_started(reference)
            else:
                answers.append(self._answer(reference))
        return answers

    def close(self) -> None:
        """End all workers; a cluster that this process has started ends with them."""
        for actor in (*self._actors.values(), *self._starting.values()):
            self._ray.kill(actor)
        self._ray.shutdown()

    def _add_started(self, reference: Any) -> None:
        actor = self._starting.pop(reference)
        try:
            name = self._ray.get(reference)
        except self._ray.exceptions.RayError:
            return  # its node has gone; `_resize` starts another
        if name in self._actors:  # a process with this number on another machine of this name
            name = f"{name}-{len(self._actors)}"
        self._actors[name] = actor
        self._free.append(name)

    def _answer(self, reference: Any) -> Answer:
        name, entry = self._running.pop(reference)
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError:
            del self._actors[name]
            self._next_resize = 0.0
            return Answer(name, entry, None)
        self._free.append(name)
        return Answer(name, replace(entry, worker=name), outcome)

    def _resize(self) -> None:
        """Start actors as far as the cluster has resources for more."""
        if time.monotonic() < self._next_resize:
            return
        self._next_resize = time.monotonic() + RESIZE_SECONDS
        if self._fixed_size is not None:
            self._size = self._fixed_size
        else:
            resources = self._ray.cluster_resources()
            shares = [
                resources.get(name, 0.0) / share for name, share in (("CPU", self._cpus), ("GPU", self._gpus)) if share
            ]
            self._size = int(min(shares, default=1))
        for _ in range(self._size - len(self._actors) - len(self._starting)):
            actor = self._actor.remote(self._settings)
            self._starting[actor.ready.remote()] = actor
