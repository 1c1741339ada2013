"""The commands "weights ..."."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from actparse.core.errors import WeightsError
from actparse.core.text_tables import format_table

if TYPE_CHECKING:
    from actparse.weights.registry import Checkpoint

File = Annotated[Path, Parameter(metavar="FILE.safetensors", help="the file to write")]


def list_weights(*, json: bool = False) -> int:
    """List the included bundles, and the public checkpoints.

    Args:
        json: print every field of every checkpoint as JSON and nothing else to standard output

    Examples:
      actparse weights list --json
    """
    from actparse.stages.loading import bundle_folder, bundled_names
    from actparse.weights.download import is_cached
    from actparse.weights.registry import CHECKPOINTS, checkpoints_as_json

    if json:
        print(checkpoints_as_json())
        return 0
    for name in bundled_names():
        folder = bundle_folder(name)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        print(f"{name:10} {size / 1e6:.1f} MB  {folder}")
    heads = (
        "public checkpoint",
        "network",
        "where",
        "Kinetics-TPS",
        "licence",
        "SHA-256",
        "published; trained on; from",
    )
    table = [heads]
    for entry in CHECKPOINTS:
        source = "cached" if is_cached(entry) else "pull" if entry.urls else "by hand"
        rules = "allowed" if entry.is_allowed else "forbidden"
        details = "; ".join(filter(None, (entry.published, ", ".join(entry.trained_on), entry.program, entry.note)))
        table.append((entry.name, entry.network, source, rules, entry.licence, entry.sha256[:8] or "-", details))
    print()
    print(format_table(table, num_text_columns=len(heads)))
    return 0


def pull(
    names: Annotated[tuple[str, ...], Parameter(required=True)],
    *,
    mirrors: Annotated[tuple[str, ...], Parameter(name="--mirror", metavar="URL")] = (),
    offline: bool = False,
) -> int:
    """Download a public checkpoint into the cache; an interrupted download resumes.

    Args:
        names: names from `actparse weights list`
        mirrors: address of another folder with the file, tried first; can be repeated
        offline: use only the cache

    Examples:
      actparse weights pull yolof-r50-coco
    """
    from actparse.core.progress import counted
    from actparse.weights.download import fetch
    from actparse.weights.registry import checkpoint

    for entry in [checkpoint(name) for name in names]:
        with counted("bytes", entry.name) as progress:
            path = fetch(entry, mirrors=mirrors, offline=offline, progress=progress, report=_print_message)
        _print_rules(entry)
        print(path)
    return 0


def import_checkpoint(
    file: Path,
    *,
    layout: Literal["openmmlab", "detectron2", "torchvision", "tfjs"] | None = None,
    network: Annotated[str, Parameter(name="--net", metavar="NET")] = "",
    out: File,
    backbone: bool | None = None,
    num_classes: Annotated[int | None, Parameter(metavar="N")] = None,
    keep_class: Annotated[int | None, Parameter(metavar="LABEL")] = None,
    objects: bool = False,
    force: bool = False,
) -> int:
    """Convert a public checkpoint to a file of actparse.

    Args:
        file: a .pth, .pkl, .safetensors or a graph model's .json, or the name of one in the cache
        layout: the program that wrote it; default: from the registry
        network: yolof-r50, yolof-r101, nanodet, hrnet-w32, hrnet-w48, movenet-thunder, movenet-lightning,
            movenet-multipose, ip-csn-152, ir-csn-152, tsn-r50; default: from the registry
        backbone: load only the backbone; the heads keep their initial weights
        num_classes: number of classes; default: as in the file, for nanodet only the person
        keep_class: keep only one class of a detector; 0 is COCO's person, the default for nanodet
        objects: besides the person, keep the objects that belong to actions: baseball bat, skateboard
        force: import a ResNet even if it seems to have another style

    Examples:
      actparse weights import yolof-r50-coco --out persons.safetensors
    """
    from actparse.weights.importing import ImportOptions, import_to_file
    from actparse.weights.public import UnfitError
    from actparse.weights.registry import checkpoint_of_name

    options = ImportOptions(
        network=network,
        layout=layout,
        partial=backbone,
        num_classes=num_classes,
        keep_class=keep_class,
        objects=objects,
        force=force,
    )
    try:
        imported = import_to_file(str(file), out, options)
    except UnfitError as error:
        _print_names(missing=error.missing, unused=error.unused)
        raise
    namesake = checkpoint_of_name(file.name)
    if imported.known is not None:
        _print_rules(imported.known)
    elif namesake is not None:
        _print_message(f"{file}: has the name of {namesake.name} and another SHA-256: {imported.sha256}")
    entries = imported.entries
    _print_names(fresh=entries.fresh, folded=entries.folded, aside=entries.aside)
    print(f"{out}: {imported.kind}, {len(entries.filled)} entries of the file, {len(entries.fresh)} fresh")
    return 0


def average(
    start: Path,
    tuned: Path,
    *,
    out: File,
    share: Annotated[float, Parameter(metavar="S")] = 0.5,
) -> int:
    """Average a network with the network that it was trained from.

    Args:
        start: the file that training started from
        tuned: the trained file; its labels are kept
        share: share of TUNED, 0..1

    Examples:
      actparse weights average a.safetensors b.safetensors --out c.safetensors
    """
    from actparse.weights.averaging import average_to_file

    _print_names(kept=average_to_file(start, tuned, out, share=share))
    print(f"{out}: {share:g} of {tuned}, the rest of {start}")
    return 0


def verify(target: str | None = None) -> int:
    """Load a bundle or a file, or check the hash of a public checkpoint.

    Args:
        target: a bundle, a .safetensors file, or the name of a checkpoint; default: everything on this machine

    Examples:
      actparse weights verify tiny
    """
    from actparse.stages.loading import bundled_names
    from actparse.weights.download import cached_path
    from actparse.weights.registry import CHECKPOINTS

    if target is not None:
        _verify_one(target)
        return 0
    cached = [entry.name for entry in CHECKPOINTS if cached_path(entry).is_file()]
    failures: list[WeightsError] = []
    for name in (*bundled_names(), *cached):
        try:
            _verify_one(name)
        except WeightsError as error:
            failures.append(error)
    if not failures:
        return 0
    for failure in failures[:-1]:
        _print_message(str(failure))
    raise failures[-1]


def _verify_one(target: str) -> None:
    from actparse.stages.loading import bundled_names, load_bundle
    from actparse.weights.bundle import load_network
    from actparse.weights.download import check_cached
    from actparse.weights.registry import CHECKPOINTS

    entry = next((entry for entry in CHECKPOINTS if entry.name == target), None)
    if entry is not None:
        sha256 = check_cached(entry)
        print(f"{entry.name} {sha256}" + ("" if entry.sha256 else " (no hash is published)"))
    elif Path(target).is_file() and target not in bundled_names():
        file = load_network(Path(target))
        print(f"{file.kind:14} {file.sha256}")
    else:
        for kind, sha256 in load_bundle(target).model.items():
            print(f"{kind:14} {sha256}")


def _print_rules(entry: Checkpoint) -> None:
    if not entry.is_allowed:
        _print_message(f"{entry.name}: trained on {' and '.join(entry.trained_on)}: the Kinetics-TPS rules forbid it")


def _print_message(line: str) -> None:
    print(line, file=sys.stderr)


def _print_names(**lists: Sequence[str]) -> None:
    """Print a line for each name of a list, after the list's name."""
    for kind, names in lists.items():
        print("".join(f"{kind:8} {name}\n" for name in names), end="")
