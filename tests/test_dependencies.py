"""The package installs without torchvision and without what would bring it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).parents[1]
BRING_TORCHVISION = {"torchvision", "timm", "ultralytics", "boxmot", "rfdetr", "deeplabcut", "mmcv", "fvcore"}


def requirement_names() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in lines}


def test_no_dependency_brings_torchvision() -> None:
    assert not requirement_names() & BRING_TORCHVISION
    direct = requirement_names() - {"actparse"}
    brought = {re.split(r"[\[<>=!~; (]", line)[0].lower() for name in direct for line in _unconditional(name)}
    assert not brought & BRING_TORCHVISION


def _unconditional(name: str) -> list[str]:
    try:
        return [line for line in requires(name) or [] if "extra ==" not in line]
    except ModuleNotFoundError:
        return []  # an extra that is not installed here


def test_the_whole_package_imports_without_torchvision() -> None:
    code = (
        "import sys; sys.modules['torchvision'] = None\n"
        "import actparse.cli, actparse.parser, actparse.app.outputs, actparse.app.demo\n"
        "import actparse.inspection.diagnosis, actparse.training\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
