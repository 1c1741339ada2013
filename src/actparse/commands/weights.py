"""The commands "models" and "weights"."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.options import Commands, add_json_option, print_json

if TYPE_CHECKING:
    from actparse.weights.registry import Checkpoint

_ACTIONS = "list, download, import, average and verify weights"


def add_commands(commands: Commands) -> None:
    """Register the commands."""
    _add_models(commands)
    command = commands.add_parser("weights", help=_ACTIONS)
    actions = command.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_pull(actions)
    _add_import(actions)
    _add_average(actions)
    _add_verify(actions)


def _add_models(commands: Commands) -> None:
    command = commands.add_parser(
        "models",
        help="describe the bundles of weights: size, labels, training data, metrics",
        description="Describe each bundle of weights from its files and its model card. `actparse weights list` shows "
        "the public checkpoints for training.",
        epilog="examples:\n  actparse models\n  actparse models runs/tiny/bundle --json",
    )
    command.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="custom bundles to describe too")
    add_json_option(command)
    command.set_defaults(run=_models)


def _models(args: argparse.Namespace) -> int:
    from actparse.inspection.models import find_models

    models = find_models(args.folders)
    if args.json:
        print_json([model.to_dict() for model in models])
    else:
        print("\n\n".join(model.to_text() for model in models))
    return 0


def _add_list(actions: Commands) -> None:
    command = actions.add_parser(
        "list",
        help="list the included bundles, and the public checkpoints",
        epilog="example: actparse weights list --json",
    )
    add_json_option(command, "every field of every checkpoint as JSON")
    command.set_defaults(run=_list)


def _add_pull(actions: Commands) -> None:
    command = actions.add_parser(
        "pull",
        help="download a public checkpoint into the cache; an interrupted download resumes",
        epilog="example: actparse weights pull yolof-r50-coco",
    )
    command.add_argument("names", nargs="+", metavar="NAME", help="a name from `actparse weights list`")
    mirror = "address of another folder with the file, tried first; can be repeated"
    command.add_argument("--mirror", action="append", default=[], metavar="URL", help=mirror)
    command.add_argument("--offline", action="store_true", help="use only the cache")
    command.set_defaults(run=_pull)


def _add_import(actions: Commands) -> None:
    command = actions.add_parser(
        "import",
        help="convert a public checkpoint to a file of actparse",
        epilog="example: actparse weights import yolof-r50-coco --out persons.safetensors --keep-class 0",
    )
    file = "a .pth, .pkl, .safetensors or a graph model's .json, or the name of one in the cache"
    command.add_argument("file", metavar="FILE", help=file)
    layouts = ("openmmlab", "detectron2", "torchvision", "tfjs")
    command.add_argument("--layout", choices=layouts, help="the program that wrote it; default: from the registry")
    network = (
        "yolof-r50, yolof-r101, nanodet, hrnet-w32, hrnet-w48, movenet-thunder, movenet-lightning, movenet-multipose, "
        "ip-csn-152, ir-csn-152, tsn-r50; default: from the registry"
    )
    command.add_argument("--net", default="", metavar="NET", help=network)
    command.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="the file to write")
    backbone = "load only the backbone; the heads keep their initial weights"
    command.add_argument("--backbone", action="store_true", default=None, help=backbone)
    classes = "number of classes; default: as in the file, for nanodet only the person"
    command.add_argument("--num-classes", type=int, metavar="N", help=classes)
    keep_class = "keep only one class of a detector; 0 is COCO's person, the default for nanodet"
    command.add_argument("--keep-class", type=int, metavar="LABEL", help=keep_class)
    command.add_argument("--force", action="store_true", help="import a ResNet even if it seems to have another style")
    command.set_defaults(run=_import)


def _add_average(actions: Commands) -> None:
    command = actions.add_parser(
        "average",
        help="average a network with the network that it was trained from",
        epilog="example: actparse weights average a/tracks.safetensors run/tracks.safetensors --out tracks.safetensors",
    )
    command.add_argument("start", type=Path, metavar="START", help="the file that training started from")
    command.add_argument("tuned", type=Path, metavar="TUNED", help="the trained file; its labels are kept")
    command.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="the file to write")
    command.add_argument("--share", type=float, default=0.5, metavar="S", help="share of TUNED, 0..1; default: 0.5")
    command.set_defaults(run=_average)


def _add_verify(actions: Commands) -> None:
    command = actions.add_parser(
        "verify",
        help="load a bundle or a file, or check the hash of a public checkpoint",
        epilog="example: actparse weights verify tiny",
    )
    target = "a bundle, a .safetensors file, or the name of a checkpoint; default: everything on this machine"
    command.add_argument("what", nargs="?", metavar="NAME_OR_PATH", help=target)
    command.set_defaults(run=_verify)


def _list(args: argparse.Namespace) -> int:
    from actparse.stages.loading import bundle_folder, bundled_names
    from actparse.weights.download import is_cached
    from actparse.weights.registry import CHECKPOINTS, checkpoints_as_json

    if args.json:
        print(checkpoints_as_json())
        return 0
    for name in bundled_names():
        folder = bundle_folder(name)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        print(f"{name:10} {size / 1e6:.1f} MB  {folder}")
    heads = f"{'public checkpoint':33} {'network':17} {'where':8} {'Kinetics-TPS':13} {'licence':13} {'SHA-256':9}"
    print(f"\n{heads} published; trained on; from")
    for entry in CHECKPOINTS:
        source = "cached" if is_cached(entry) else "pull" if entry.urls else "by hand"
        rules = "allowed" if entry.is_allowed else "forbidden"
        details = "; ".join(filter(None, (entry.published, ", ".join(entry.trained_on), entry.program, entry.note)))
        columns = f"{entry.network:17} {source:8} {rules:13} {entry.licence:13} {entry.sha256[:8] or '-':9}"
        print(f"{entry.name:33} {columns} {details}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.weights.download import fetch
    from actparse.weights.registry import checkpoint

    for entry in [checkpoint(name) for name in args.names]:
        with counted("bytes", entry.name) as progress:
            path = fetch(entry, mirrors=args.mirror, offline=args.offline, progress=progress, report=_print_message)
        _print_rules(entry)
        print(path)
    return 0


def _import(args: argparse.Namespace) -> int:
    from actparse.weights.importing import ImportOptions, import_to_file
    from actparse.weights.public import UnfitError
    from actparse.weights.registry import checkpoint_of_name

    options = ImportOptions(
        network=args.net,
        layout=args.layout,
        partial=args.backbone,
        num_classes=args.num_classes,
        keep_class=args.keep_class,
        force=args.force,
    )
    try:
        imported = import_to_file(args.file, args.out, options)
    except UnfitError as error:
        for kind, names in (("missing", error.missing), ("unused", error.unused)):
            print("".join(f"{kind:8} {name}\n" for name in names), end="")
        raise
    namesake = checkpoint_of_name(Path(args.file).name)
    if imported.known is not None:
        _print_rules(imported.known)
    elif namesake is not None:
        _print_message(f"{args.file}: has the name of {namesake.name} and another SHA-256: {imported.sha256}")
    entries = imported.entries
    for kind, names in (("fresh", entries.fresh), ("folded", entries.folded), ("aside", entries.aside)):
        print("".join(f"{kind:8} {name}\n" for name in names), end="")
    print(f"{args.out}: {imported.kind}, {len(entries.filled)} entries of the file, {len(entries.fresh)} fresh")
    return 0


def _average(args: argparse.Namespace) -> int:
    from actparse.weights.averaging import average_to_file

    unaveraged = average_to_file(args.start, args.tuned, args.out, share=args.share)
    print("".join(f"kept     {name}\n" for name in unaveraged), end="")
    print(f"{args.out}: {args.share:g} of {args.tuned}, the rest of {args.start}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from actparse.core.errors import WeightsError
    from actparse.stages.loading import bundled_names
    from actparse.weights.download import cached_path
    from actparse.weights.registry import CHECKPOINTS

    if args.what is not None:
        _verify_one(args.what)
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
