"""The proof that nothing is lost, as docs/scale.md describes it: hours at its full size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "batch_faults.py"


@pytest.mark.slow
def test_kills_a_full_disk_and_a_flaky_store_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra 'scale'")
    runs, videos, bad, seed = (
        os.environ.get(f"ACTPARSE_FAULT_{name}", default)
        for name, default in (("RUNS", "20"), ("VIDEOS", "200"), ("BAD", "10"), ("SEED", "1"))
    )
    options = ["--runs", runs, "--videos", videos, "--bad", bad, "--seed", seed]
    log = tmp_path / "log"
    with log.open("w") as file:
        code = subprocess.run([sys.executable, str(PROGRAM), *options], stdout=file).returncode
    *lines, last = log.read_text().splitlines()
    assert (code, last) == (0, "all runs equal the undisturbed one"), log.read_text()
    outcomes = [json.loads(line) for line in lines if '"run"' in line]
    assert len(outcomes) >= int(runs) + 1
    assert {outcome["results_once"] for outcome in outcomes} == {int(videos) - int(bad)}
    assert {outcome["quarantined"] for outcome in outcomes} == {int(bad)}
