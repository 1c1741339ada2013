"""Workers as Ray actors, on this machine or on a cluster; nodes may come and go."""

from __future__ import annotations

import logging
import os
import platform
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from actparse.core.errors import ActparseError, ConfigError, OutputError
from actparse.scale.executors import MAX_DOUBLINGS, Answer
from actparse.scale.manifest import Entry
from actparse.scale.store import Store
from actparse.scale.worker import Outcome, Worker, WorkSettings

RUN_FILE = "run"  # has the name of this run while it runs; workers look for it
SHARE_SECONDS = 30.0  # until a file that one machine has written must be visible on the others
MAX_FAILED_STARTS = 4  # of workers in a row, if none runs or is starting
MAX_RESIZE_SECONDS = 300.0  # between two starts, after several that failed
CLOSE_SECONDS = 10.0  # in which workers remove their scratch folders
RESIZE_SECONDS = 2.0  # between two looks at the resources of the cluster
OBJECT_STORE_BYTES = 128 << 20  # of a cluster of this machine; only outcomes go through it
LOCAL = "local"  # address of a cluster of this machine that ends with the driver


class RayWorker:
    """The actor: a worker in a process of Ray."""

    def __init__(self, settings: WorkSettings) -> None:
        self._worker = Worker(settings, f"{platform.node()}-{os.getpid()}")

    def prepare(self, run: str, share_seconds: float, local_file: str | None) -> tuple[str, str]:
        """Load the weights and look for files that all machines must see.

        Args:
            run: content of the driver's file in the store.
            share_seconds: until that file must be visible here.
            local_file: one of the videos, if any is a local file.

        Returns:
            The worker's name, and why it cannot work; "" if it can.
        """
        name, store = self._worker.name, Store(self._worker.settings.out)
        where = "that all machines share, or in an object store"
        end = time.monotonic() + share_seconds
        try:
            while store.read(RUN_FILE) != run.encode():
                if time.monotonic() >= end:
                    return name, f"out must be a folder {where}, got {store.uri}: {name} does not see it"
                time.sleep(0.5)
            if local_file is not None and not Path(local_file).exists():
                return name, f"inputs must be files {where}, got {local_file}: {name} does not see it"
            self._worker.prepare()
        except (ActparseError, OSError) as error:
            return name, str(error)
        return name, ""

    def close(self) -> None:
        """End the child process, also during a parse, and remove the scratch folder."""
        self._worker.close()

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
        local_file: str | None = None,
    ) -> None:
        """Connect to a cluster, or start one on this machine.

        Args:
            settings: of the workers.
            address: of the cluster, "auto" or host:port or ray://host:10001; None uses RAY_ADDRESS or this machine.
            num_workers: number of actors; None is as many as the cluster has resources for, at each moment.
            cpus: CPUs of one actor.
            gpus: GPUs of one actor; a fraction shares one.
            local_file: a video that each machine must see.

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
        actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0, max_concurrency=2)
        self._actor: Any = actor(RayWorker)
        self._store, self._run = Store(settings.out), uuid.uuid4().hex
        self._store.write(RUN_FILE, self._run.encode())
        self._fixed_size, self._local_file = num_workers, local_file
        self._size, self._next_resize = 0, 0.0
        self._starting: dict[Any, Any] = {}  # reference to what `prepare` returns -> actor
        self._failed_starts = 0  # in a row
        self._actors: dict[str, Any] = {}
        self._free: list[str] = []
        self._running: dict[Any, tuple[str, Entry]] = {}  # reference to the outcome -> worker, video
        self._resize()
        if self._size == 0:
            self.close()
            needs = "must be in the cluster; with a number of workers it is asked for them"
            raise ConfigError(f"cpus and gpus of a worker {needs}, got {cpus:g} and {gpus:g}")

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
        actors = [*self._actors.values(), *self._starting.values()]
        with suppress(self._ray.exceptions.RayError):  # of those that are dead, or take longer
            if closing := [actor.close.remote() for actor in actors]:
                self._ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        for actor in actors:
            self._ray.kill(actor)
        self._ray.shutdown()
        with suppress(OutputError):  # if the store cannot be reached, the next run replaces the file
            if self._store.read(RUN_FILE) == self._run.encode():  # not that of a newer run
                self._store.remove([RUN_FILE])

    def _add_started(self, reference: Any) -> None:
        """Take a worker in that has started.

        Raises:
            OutputError: no worker starts.
        """
        actor = self._starting.pop(reference)
        try:
            name, problem = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # perhaps its node has gone
            name, problem = "", f"a worker ended while it started: {str(error).strip().splitlines()[-1].strip()}"
        if problem:
            self._ray.kill(actor)
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS and not self._actors and not self._starting:
                raise OutputError(f"{problem}; what is done stays, start again to resume")
            pause = min(MAX_RESIZE_SECONDS, RESIZE_SECONDS * 2 ** min(self._failed_starts, MAX_DOUBLINGS))
            self._next_resize = time.monotonic() + pause
            return
        self._failed_starts = 0
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
            self._next_resize = self._next_resize if self._failed_starts else 0.0
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
            exists = self._local_file is not None and Path(self._local_file).exists()  # it may have been moved
            local_file = self._local_file if exists else None
            self._starting[actor.prepare.remote(self._run, SHARE_SECONDS, local_file)] = actor
