"""Several training runs in parallel: their order, and their end with the command that started them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from actparse.core.progress import discard_line
from actparse.training.run_folder import RunFolder
from actparse.training.runs.jobs import Job, run_jobs
from training.miniature import write_miniature
from training.small import tiny_options


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


def test_what_others_wait_for_is_trained_first(data: Path, tmp_path: Path) -> None:
    started: list[str] = []

    def stop_at_the_first(running: list[str]) -> None:
        started.extend(running)
        raise KeyboardInterrupt

    jobs = {
        "other": Job("persons", data, tmp_path, tiny_options()),
        "first": Job("action", data, tmp_path, tiny_options()),
        "later": Job("states-arm", data, tmp_path, tiny_options(), ("first",)),
    }
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, slots=2, report=discard_line, changed=stop_at_the_first)
    assert started == ["first"]


def test_no_training_outlives_the_command_that_was_killed(data: Path, tmp_path: Path) -> None:
    endless = "TrainOptions(steps=1000000, device='cpu', log_every=1)"
    code = (
        "from pathlib import Path; from actparse.training.runs.jobs import Job, run_jobs, without_report; "
        "from actparse.training.options import TrainOptions; "
        f"job = Job('persons', Path({str(data)!r}), Path({str(tmp_path)!r}), without_report({endless})); "
        "run_jobs({'persons': job}, slots=1, report=print)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = RunFolder(tmp_path, "persons").log
    deadline = time.monotonic() + 120
    while not log.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    children = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert log.is_file()
    assert not alive
