"""The loop on a toy task: one cycle, resume, determinism, a loss that is no number, and a run by the clock."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actparse.core.errors import TrainingError
from actparse.core.progress import discard_line
from actparse.training.loop import ranks
from actparse.training.loop.batches import load_batches
from actparse.training.loop.hardware import Hardware, choose_hardware
from actparse.training.loop.learner import Learner
from actparse.training.loop.optimisation import build_optimizer, set_rate
from actparse.training.loop.trainer import train
from actparse.training.options import TrainOptions
from actparse.training.run_folder import Plan, RunFolder, read_json, read_plan
from actparse.training.task import Batch, Task, TaskSettings
from training.loop_toys import Line, log_rows, losses_of, run_fresh_line, run_line


class Toy(Task):
    """A line fitted with dropout, which makes every step depend on the seed."""

    kind = "toy"
    settings = TaskSettings(batch_size=4, learning_rate=0.01)

    def __init__(self, *, break_at: int | None = None, bad_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.break_at, self.bad_at, self.drawn = break_at, bad_at, 0

    @property
    def num_samples(self) -> int:
        return 12

    def batch(self, rng: np.random.Generator) -> Batch:
        self.drawn += 1
        if self.drawn == self.break_at:
            raise RuntimeError("killed")
        x = torch.from_numpy(rng.normal(size=(4, 3)).astype(np.float32))
        return {"x": x, "y": x.sum(1, keepdim=True)}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        loss = (net(batch["x"]).float() - batch["y"]).square().mean()
        return {"error": loss * (float("nan") if self.drawn == self.bad_at else 1.0)}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        return {}

    def stage_settings(self) -> dict[str, Any]:
        return {}


class Interrupted(Line):
    """A line whose loss sends signals to this process in a step, counted from 1."""

    def __init__(self, number: signal.Signals, *, at: int, times: int = 1) -> None:
        super().__init__()
        self.number, self.at, self.times, self.drawn = number, at, times, 0

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        self.drawn += 1
        for _ in range(self.times if self.drawn == self.at else 0):
            signal.raise_signal(self.number)
        return super().losses(net, batch)


def run_toy(out: Path, task: Toy, **options: Any) -> list[list[str]]:
    run = RunFolder(out, "toy")
    run.folder.mkdir(parents=True, exist_ok=True)
    options = {"checkpoint_seconds": 0.0, "report": discard_line, "log_every": 1, "device": "cpu", **options}
    train(task, run, TrainOptions(**options), choose_hardware("cpu"))
    with run.log.open(newline="") as file:
        return [row[:3] for row in csv.reader(file)]


def test_same_seed_same_curve_other_seed_another(tmp_path: Path) -> None:
    first = run_toy(tmp_path / "a", Toy(), steps=6, seed=3)
    assert first == run_toy(tmp_path / "b", Toy(), steps=6, seed=3)
    assert first != run_toy(tmp_path / "c", Toy(), steps=6, seed=4)


def test_resumed_run_repeats_the_undisturbed_one(tmp_path: Path) -> None:
    whole, broken = Toy(), Toy(break_at=6)
    curve = run_toy(tmp_path / "whole", whole, steps=10)
    with pytest.raises(RuntimeError, match="killed"):
        run_toy(tmp_path / "broken", broken, steps=10)
    resumed = Toy()
    assert run_toy(tmp_path / "broken", resumed, steps=999, resume=True) == curve
    assert resumed.drawn == 5  # steps 5 to 9 alone
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name])


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    run_toy(tmp_path, Toy(), steps=2)
    checkpoint = next(tmp_path.rglob("last.ckpt"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    with pytest.raises(TrainingError, match=r"last\.ckpt: needs a checkpoint of this run, got .*; without the file"):
        run_toy(tmp_path, Toy(), steps=2, resume=True)


def test_resume_without_a_checkpoint_starts(tmp_path: Path) -> None:
    assert len(run_toy(tmp_path, Toy(), steps=2, resume=True)) == 3


def test_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    run_toy(tmp_path, Toy(), steps=1)
    with pytest.raises(TrainingError, match="holds a run of toy already"):
        run_toy(tmp_path, Toy(), steps=1)


def test_bad_loss_names_its_step(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="error is nan at step 2"):
        run_toy(tmp_path, Toy(bad_at=3), steps=5)


def test_epochs_and_minutes_become_steps(tmp_path: Path) -> None:
    run_toy(tmp_path / "epochs", Toy(), epochs=2)
    assert read_plan(RunFolder(tmp_path / "epochs", "toy")).num_steps == 6
    lines: list[str] = []
    run_toy(tmp_path / "minutes", Toy(), minutes=0.02, report=lines.append)
    num_steps = read_plan(RunFolder(tmp_path / "minutes", "toy")).num_steps
    assert lines[-1].startswith(f"toy: step {num_steps}/{num_steps} ")


@pytest.mark.parametrize("broken_at", [3, 5, 9])
def test_resume_repeats_wherever_it_stopped(tmp_path: Path, broken_at: int) -> None:
    curve = run_toy(tmp_path / "whole", Toy(), steps=10, log_every=2)
    with pytest.raises(RuntimeError, match="killed"):
        run_toy(tmp_path / "broken", Toy(break_at=broken_at), steps=10, log_every=2)
    assert run_toy(tmp_path / "broken", Toy(), steps=10, resume=True, log_every=2) == curve


@pytest.mark.parametrize(
    ("number", "checkpoint_seconds"),
    [
        pytest.param(signal.SIGKILL, 0.0, id="killed"),
        pytest.param(signal.SIGTERM, 1e6, id="terminated"),
        pytest.param(signal.SIGINT, 1e6, id="Ctrl-C", marks=pytest.mark.slow),  # as SIGTERM, and in this process below
    ],
)
def test_stopped_run_repeats_the_undisturbed_one(
    tmp_path: Path, number: signal.Signals, checkpoint_seconds: float
) -> None:
    out = tmp_path / "stopped"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); from pathlib import Path\n"
        "from training.loop_toys import SlowLine, run_line\n"
        f"run_line(Path({str(out)!r}), SlowLine(), steps=40, checkpoint_seconds={checkpoint_seconds})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    log = RunFolder(out, "line").log
    while process.poll() is None and (not log.is_file() or len(log.read_text().splitlines()) < 8):
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait() == -number
    resumed = run_line(out, Line(), steps=40, resume=True)
    assert len(resumed) == 41
    assert resumed == run_line(tmp_path / "whole", Line(), steps=40)


def test_interrupt_writes_a_checkpoint_of_the_last_step(tmp_path: Path) -> None:
    task = Interrupted(signal.SIGINT, at=5)
    with pytest.raises(KeyboardInterrupt):
        run_line(tmp_path, task, steps=9, checkpoint_seconds=1e6)
    assert torch.load(RunFolder(tmp_path, "line").checkpoint, weights_only=True)["step"] == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_interrupt_takes_effect_at_once(tmp_path: Path) -> None:
    task = Interrupted(signal.SIGINT, at=5, times=2)
    with pytest.raises(KeyboardInterrupt):
        run_line(tmp_path, task, steps=9, checkpoint_seconds=1e6)
    assert not RunFolder(tmp_path, "line").checkpoint.exists()


def test_pieces_of_a_batch_sum_up_to_it(tmp_path: Path) -> None:
    whole = run_line(tmp_path / "whole", Line(), steps=8)
    pieces = run_line(tmp_path / "pieces", Line(), steps=8, accumulate=4)
    assert losses_of(pieces) == pytest.approx(losses_of(whole), abs=1e-6, rel=5e-6)  # the log has six digits


def test_accumulate_must_divide_the_batch(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="accumulate must divide the 8 samples"):
        run_line(tmp_path, Line(), steps=1, accumulate=3)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    alone = run_line(tmp_path / "alone", Line(), steps=6)
    assert run_line(tmp_path / "workers", Line(), steps=6, workers=2) == alone


def test_two_processes_see_what_one_sees(tmp_path: Path) -> None:
    alone = run_line(tmp_path / "alone", Line(), steps=12)
    ranks.run_together(2, run_fresh_line, tmp_path / "two", 12, None)
    together = log_rows(RunFolder(tmp_path / "two", "line"))
    assert len(together) == len(alone)
    assert losses_of(together) == pytest.approx(losses_of(alone), abs=1e-6, rel=5e-6)  # the log has six digits
    weights = [torch.load(tmp_path / n / "line" / "last.ckpt", weights_only=True) for n in ("alone", "two")]
    for name, value in weights[0]["state_dict"].items():
        torch.testing.assert_close(weights[1]["state_dict"][name], value, atol=1e-6, rtol=0)
    expected = {"gathered": ["a", "b", "c", "d", "e"], "mean": [1.0, 1.0]}  # both measure shares of one network
    assert [read_json(tmp_path / "two" / f"{rank}.json") for rank in (0, 1)] == [expected, expected]
    assert ranks.gathered(ranks.shard([1, 2, 3])) == [1, 2, 3]  # one process


def test_interrupt_of_two_processes_leaves_a_checkpoint(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); from pathlib import Path\n"
        "from actparse.training.loop import ranks; from training.loop_toys import run_slow_line\n"
        f"if __name__ == '__main__': ranks.run_together(2, run_slow_line, Path({str(tmp_path)!r}))"
    )
    (tmp_path / "main.py").write_text(code)
    process = subprocess.Popen([sys.executable, tmp_path / "main.py"], stderr=subprocess.DEVNULL)
    log = RunFolder(tmp_path, "line").log
    while process.poll() is None and not log.is_file():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    assert 1 <= torch.load(RunFolder(tmp_path, "line").checkpoint, weights_only=True)["step"] < 1000


def test_failed_process_ends_the_others_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"error is nan at step 2, samples .*row 1"):
        ranks.run_together(2, run_fresh_line, tmp_path, 12, 1)


def test_bad_loss_names_its_samples(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"error is nan at step \d, samples .*row 5"):
        run_line(tmp_path, Line(bad_row=5), steps=6)


def test_step_rule_gives_length_and_rates(tmp_path: Path) -> None:
    rows = run_line(tmp_path, Line())
    assert read_plan(RunFolder(tmp_path, "line")).num_steps == 12  # 4 epochs of 3 steps: 20 samples, 8 at a time
    rates = [float(row[1]) for row in rows[1:]]
    assert rates == pytest.approx([0.025, 0.0375, *[0.05] * 4, *[0.005] * 6])


def test_checks_keep_the_best_checkpoint(tmp_path: Path) -> None:
    task = Line()
    run_line(tmp_path, task, steps=9, check_every=3, tensorboard=True)
    run = RunFolder(tmp_path, "line")
    assert [row.split(",")[0] for row in run.checks.read_text().splitlines()] == ["step", "3", "6", "9"]
    best = torch.load(run.best, weights_only=True)
    assert best["step"] == 3  # the metric falls with every check
    assert set(best["state_dict"]) == {"net.weight", "net.bias"}
    assert any(run.tensorboard.iterdir())


def test_best_needs_checks(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="needs checks on the way"):
        run_line(tmp_path, Line(), steps=1, keep="best")


def test_tensorboard_that_is_missing_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    lines: list[str] = []
    run_line(tmp_path, Line(), steps=1, tensorboard=True, report=lines.append)
    assert lines[0] == "no log for TensorBoard: it is not installed (pip install 'actparse[train]')"


def test_only_an_estimate_writes_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    run_line(tmp_path, Line(), only_estimate=True, report=lines.append)
    assert lines[0].startswith("line: 12 steps of 8 samples;")
    assert not list((tmp_path / "line").iterdir())


def test_estimate_comes_first_and_leaves_the_network_alone(tmp_path: Path) -> None:
    lines: list[str] = []
    plain = run_line(tmp_path / "plain", Line(), steps=3)
    assert run_line(tmp_path / "told", Line(), steps=3, estimate=True, report=lines.append) == plain
    assert lines[0].startswith("line: 3 steps of 8 samples; one sample took 0.0")


def test_epoch_shows_every_sample(tmp_path: Path) -> None:
    task = Line()
    seen = [task.rows_of_step(0, step, range(8))["names"] for step in range(3)]
    rows = sorted(int(name.removeprefix("row ")) for names in seen for name in names)
    assert sorted(set(rows)) == list(range(20))
    assert len(rows) == 24


def test_float16_scales_gradients_and_resumes(tmp_path: Path) -> None:
    hardware, plan = Hardware(torch.device("cpu"), "float16"), Plan(num_steps=12, seed=0, batch_size=8)
    learner = Learner(Line(), plan, hardware)
    losses = [
        learner.take_step(pieces)["error"] for pieces in load_batches(learner.task, plan, hardware, TrainOptions())
    ]
    assert losses[-1] < losses[0] / 2
    assert 1 < learner.scaler.get_scale() < 65536  # the first gradients overflowed, and their step was skipped
    learner.save(tmp_path / "last.ckpt", {"count": 2})
    resumed = Learner(Line(), plan, hardware)
    assert resumed.load(tmp_path / "last.ckpt") == {"count": 2}
    assert resumed.step == 12
    assert resumed.scaler.state_dict() == learner.scaler.state_dict()


def test_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    run_line(tmp_path, Line(), steps=1)
    other = Line()
    other.net = nn.Linear(4, 1)
    with pytest.raises(TrainingError, match=r"last\.ckpt: needs a checkpoint of this run, got RuntimeError: Error"):
        run_line(tmp_path, other, steps=1, resume=True)


def test_groups_of_parameters() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    settings = TaskSettings(
        batch_size=1, learning_rate=0.1, optimizer="sgd", undecayed="norms", rate_factors={"0.": 1 / 3}, nesterov=True
    )
    optimizer = build_optimizer(nn.ModuleDict({"net": net}), settings)
    set_rate(optimizer, 0.03)
    found = [(len(g["params"]), g["weight_decay"], round(g["lr"], 6), g["nesterov"]) for g in optimizer.param_groups]
    assert found == [(2, 0.01, 0.01, True), (2, 0.0, 0.03, True)]
