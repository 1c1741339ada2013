"""The command batch on a local Ray cluster of two nodes: a worker and the driver are killed, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from actparse.core.errors import ConfigError, OutputError
from actparse.parser import Parser, ParserConfig
from actparse.scale import ray_executor
from actparse.scale.run import BatchOptions, run_batch
from clips import write_clip

NUM_VIDEOS = 20
STRIDE = 12
PATIENCE_SECONDS = 600.0  # on a machine that is busy with other work


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of both nodes."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def cluster_address(scratch: Path) -> Iterator[str]:
    """The address of two nodes of one core each on this machine."""
    pytest.importorskip("ray", reason="needs the extra 'scale'")
    from ray.cluster_utils import Cluster

    arguments = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", tempfile.gettempdir())  # short: it has sockets
        patch.setenv("TMPDIR", str(scratch))
        patch.setenv("RAY_worker_niceness", "0")  # else other work delays them
        cluster = Cluster(initialize_head=True, head_node_args=arguments)
        cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    yield cluster.address
    cluster.shutdown()


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)


def ray_workers() -> list[psutil.Process]:
    return [process for process in psutil.Process().children(recursive=True) if "RayWorker" in process.name()]


def test_a_worker_and_the_driver_are_killed(
    cluster_address: str, scratch: Path, random_bundle: Path, tmp_path: Path
) -> None:
    out, videos = tmp_path / "out", tmp_path / "videos"
    for number in range(NUM_VIDEOS):
        write_clip(videos / f"{number:02}.mp4", num_frames=12, phase=7 * number)
    command = [sys.executable, "-m", "actparse", "batch", str(videos), "--out", str(out), "--address", cluster_address]
    command += ["--weights", str(random_bundle), "--stride", str(STRIDE), "--no-overlay", "--no-report", "--json"]

    def results() -> dict[str, bytes]:
        return {path.parent.name: path.read_bytes() for path in out.glob("results/*/*/parse.json")}

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: len(results()) >= 3)
        os.kill(ray_workers()[0].pid, signal.SIGKILL)
        wait_until(lambda: len(results()) >= 8)
        driver.kill()
    early = results()
    assert len(early) < NUM_VIDEOS
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS).stdout)
    final = results()
    assert answer["states"] == {"done": NUM_VIDEOS}
    assert NUM_VIDEOS - len(early) - 2 <= answer["run"]["parsed"] <= NUM_VIDEOS - len(early)
    assert len(final) == NUM_VIDEOS
    assert {key: final[key] for key in early} == early
    parses = {Path(json.loads(data)["video"]["path"]).name: data for data in final.values()}
    parser = Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=STRIDE))
    for name in ("00.mp4", f"{NUM_VIDEOS - 1}.mp4"):
        raw = json.loads(parser.parse(videos / name).to_json())
        assert json.loads(parses[name])["frames"] == raw["frames"]
    assert sorted(parses) == sorted(path.name for path in videos.iterdir())
    assert not any(scratch.glob("actparse-batch-*"))


def test_a_store_that_the_workers_do_not_share(
    cluster_address: str, random_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "SHARE_SECONDS", 0.0)
    monkeypatch.setattr(ray_executor, "MAX_FAILED_STARTS", 2)
    video = write_clip(tmp_path / "v.mp4")
    options = BatchOptions(out="memory://not-shared", weights=str(random_bundle), address=cluster_address)
    with pytest.raises(OutputError, match="out must be a folder that all machines share, or in an object store, got"):
        run_batch([video], options, notify=lambda _: None)


def test_an_address_without_a_cluster(random_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra 'scale'")
    video = write_clip(tmp_path / "v.mp4")
    options = BatchOptions(out=str(tmp_path / "out"), weights=str(random_bundle), address="nonsense")
    with pytest.raises(ConfigError, match="address must be that of a Ray cluster, got 'nonsense'"):
        run_batch([video], options, notify=lambda _: None)


def test_without_ray_it_says_so(random_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    video, lines = write_clip(tmp_path / "v.mp4"), []
    options = BatchOptions(out=str(tmp_path / "out"), weights=str(random_bundle), overlay=False, page=False, workers=1)
    summary = run_batch([video], options, notify=lines.append)
    assert summary.states == {"done": 1}
    assert lines[0].startswith("Ray is not installed (pip install 'actparse[scale]')")
    with pytest.raises(ConfigError, match="address needs Ray"):
        options = BatchOptions(out=str(tmp_path / "other"), weights=str(random_bundle), address="auto")
        run_batch([video], options, notify=lines.append)
