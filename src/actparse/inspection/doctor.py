"""A report on this installation: versions, devices, codecs, folders of weights and caches, and fixes for problems."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

import av
import torch

from actparse.stages.loading import bundled_names
from actparse.stages.precision import computes_bfloat16
from actparse.weights.download import cache_folder

PACKAGES = (
    "actparse",
    "torch",
    "numpy",
    "scipy",
    "av",
    "opencv-contrib-python-headless",
    "safetensors",
    "faster-coco-eval",
    "pyarrow",
    "PyYAML",
    "rich",
    "jinja2",
    "cyclopts",
    "tensorboard",
)
CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "gif")


@dataclass(frozen=True)
class Finding:
    """One line of the report; `fix` tells the user what to do, and is empty if there is no problem."""

    topic: str
    text: str
    fix: str = ""


def examine() -> list[Finding]:
    """Inspect the installation without changing anything."""
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} processors"
    fast = "bfloat16" if computes_bfloat16("cpu") else "float32"
    missing = [name for name in CODECS if name not in av.codecs_available]
    decodes = f"reads {', '.join(name for name in CODECS if name not in missing)}"
    decoder_fix = f"pip install --upgrade av (lacks {', '.join(missing)})" if missing else ""
    encodes = "libx264" in av.codecs_available
    encoder_fix = "" if encodes else "pip install av from PyPI: its wheel carries libx264"
    names = bundled_names()
    bundles = f"{', '.join(names) or 'none'} in {files('actparse.weights') / 'bundled'}"
    no_bundles = "" if names else "install actparse from its wheel, or train with `actparse train tiny`"
    return [
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
        *map(_package, PACKAGES),
        Finding("cpu", f"{threads}, computes in {fast}"),
        _cuda(),
        Finding("codecs", decodes, decoder_fix),
        Finding("encoder", "libx264" if encodes else "no libx264", encoder_fix),
        Finding("weights", bundles, no_bundles),
        Finding("cache", str(cache_folder())),
    ]


def _package(name: str) -> Finding:
    try:
        installed = version(name)
    except PackageNotFoundError:
        if name == "tensorboard":
            return Finding(name, "not installed (optional: pip install 'actparse[train]')")
        return Finding(name, "missing", f"pip install {name}")
    return Finding(name, installed)


def _cuda() -> Finding:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding("cuda", ", ".join(names))
    if torch.version.cuda:
        return Finding("cuda", "torch was built for it but sees no GPU", "check the driver with nvidia-smi")
    return Finding("cuda", "none (a CPU build of torch)")
