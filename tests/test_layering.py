"""A module imports only from the rooms above its own, as the design says; read from the source, not at run time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "actparse"

ROWS: tuple[tuple[str, ...], ...] = (  # from the top; rooms of one row do not know each other
    ("errors", "__init__"),
    ("files", "vocabulary"),
    ("structures",),
    ("video", "nets", "metrics", "export"),  # of the parse alone: a report draws its angles, own data reads it back
    ("data",),
    ("weights",),
    ("stages",),
    ("parser",),
    ("training", "report", "doctor", "models", "calibration", "progress"),
    ("outputs", "conversion"),
    ("batch", "watching"),
    ("diagnosis_video", "compute"),
    ("demo", "diagnosis", "pose_evaluation", "reproduce"),
    ("commands",),
    ("cli",),
    ("__main__",),
)
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a dotted name: actparse.nets.yolof -> nets; the package itself -> __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported_modules(path: Path) -> set[str]:
    """Every module of ours that a file imports at its top level or inside a function, type checking aside."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "actparse" else {str(node.module)}
    return {name for name in found if name.split(".")[0] == "actparse"}


def test_every_module_has_a_row() -> None:
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms == set(ROW_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_upwards(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room == "__init__":
        return  # the package's front door hands out the parser
    for module in imported_modules(path):
        other = room_of(module)
        other = other if other in ROW_OF else "__init__"
        assert other == room or ROW_OF[other] < ROW_OF[room], f"{room} must not import {module}"


@pytest.mark.parametrize("room", ["vocabulary", "structures", "errors", "files"])
def test_words_and_results_do_not_need_torch(room: str) -> None:
    assert "torch" not in (SOURCE / f"{room}.py").read_text(encoding="utf-8").replace("no torch", "")


def test_only_the_command_prints() -> None:
    printing = [
        path
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert {path.relative_to(SOURCE).parts[0] for path in printing} <= {"cli.py", "commands"}
