"""A module imports only from the rooms above its own, as the design says; read from the source, not at run time."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "actparse"

ROWS: tuple[tuple[str, ...], ...] = (  # from the top; rooms of one row do not know each other
    ("__init__",),
    ("core",),
    ("video", "nets", "metrics", "export"),  # of the parse alone: a report draws its angles, own data reads it back
    ("data",),
    ("synth", "weights", "report"),
    ("stages",),
    ("parser",),
    ("training",),
    ("inspection",),
    ("reproduce", "app"),
    ("scale",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
SUB_ROWS: dict[str, tuple[str, ...]] = {  # inside a room: of its folders, each imports only from those before it
    "synth": ("motion", "drawing", "people", "actions"),
    "stages": ("people", "actions", "together"),
    "nets": ("detectors", "poses", "clips"),
    "training": ("samples", "rendered", "recipes", "runs"),
}
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a dotted name: actparse.nets.detectors.yolof -> nets; the package itself -> __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_name(path: Path) -> str:
    """The dotted name of a file of ours."""
    return ".".join(("actparse", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


@cache
def is_module(name: str) -> bool:
    """Whether a dotted name is a module or a folder of ours."""
    path = SOURCE.parent / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported_modules(path: Path) -> set[str]:
    """Every module of ours that a file imports at its top level or inside a function, type checking aside."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                found.add(module if is_module(module) else str(node.module))
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


@pytest.mark.parametrize(("room", "folders"), SUB_ROWS.items(), ids=list(SUB_ROWS))
def test_imports_point_upwards_inside_a_room(room: str, folders: tuple[str, ...]) -> None:
    rows = {f"actparse.{room}.{folder}": row for row, folder in enumerate(folders)}
    for folder, row in rows.items():
        for path in (SOURCE / room / folder.rpartition(".")[2]).glob("*.py"):
            for module in imported_modules(path):
                other = ".".join(module.split(".")[:3])
                assert rows.get(other, row) <= row, f"{module_name(path)} must not import {module}"


def test_no_modules_import_each_other() -> None:
    """Imports inside functions count."""
    names = {module_name(path): path for path in MODULES}
    graph = {name: imported_modules(path) & set(names) - {"actparse", name} for name, path in names.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_words_and_results_do_not_need_torch() -> None:
    for path in (SOURCE / "core").glob("*.py"):
        assert "import torch" not in path.read_text(encoding="utf-8"), path


def test_few_modules_are_in_no_room() -> None:
    assert len(list(SOURCE.glob("*.py"))) <= 6


def test_only_the_command_prints() -> None:
    printing = [
        path
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert {path.relative_to(SOURCE).parts[0] for path in printing} <= {"cli.py", "commands"}
