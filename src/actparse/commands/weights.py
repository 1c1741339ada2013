"""Commands "models" and "weights"."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.options import Commands, add_json_option, print_json

if TYPE_CHECKING:
    from actparse.weights.registry import Checkpoint

_ACTIONS = "list what there is, pull a public checkpoint, import one, verify what is on this machine"


def add_commands(commands: Commands) -> None:
    """Make them known."""
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
        help="the bundles of weights: size, labels, what they were trained on, what they reach",
        description="What each bundle of weights is, from its files and its model card. Public checkpoints, to train "
        "from, are listed by `actparse weights list`.",
        epilog="examples:\n  actparse models\n  actparse models runs/tiny/bundle --json",
    )
    command.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="bundles of one's own, to be named too")
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
        help="the bundles that the package ships, and the public checkpoints",
        epilog="example: actparse weights list --json",
    )
    add_json_option(command, "every field of every checkpoint as JSON")
    command.set_defaults(run=_list)


def _add_pull(actions: Commands) -> None:
    command = actions.add_parser(
        "pull",
        help="fetch a public checkpoint into the cache; goes on where it was cut off",
        epilog="example: actparse weights pull yolof-r50-coco",
    )
    command.add_argument("names", nargs="+", metavar="NAME", help="as `actparse weights list` shows it")
    mirror = "address of a folder that has the file too, tried first; may be given again"
    command.add_argument("--mirror", action="append", default=[], metavar="URL", help=mirror)
    command.add_argument("--offline", action="store_true", help="look at the cache alone")
    command.set_defaults(run=_pull)


def _add_import(actions: Commands) -> None:
    command = actions.add_parser(
        "import",
        help="make a file of ours from a public checkpoint",
        epilog="example: actparse weights import yolof-r50-coco --out persons.safetensors --keep-class 0",
    )
    file = "a .pth, .pkl, .safetensors or a graph model's .json, or the name of one in the cache"
    command.add_argument("file", metavar="FILE", help=file)
    layouts = ("openmmlab", "detectron2", "torchvision", "tfjs")
    command.add_argument("--layout", choices=layouts, help="which program wrote it; default: as the registry says")
    network = (
        "yolof-r50, yolof-r101, nanodet, hrnet-w32, hrnet-w48, movenet-thunder, movenet-lightning, movenet-multipose, "
        "ip-csn-152, ir-csn-152, tsn-r50; default: as the registry says"
    )
    command.add_argument("--net", default="", metavar="NET", help=network)
    command.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="the file of ours")
    backbone = "fill the backbone alone; the heads stay fresh"
    command.add_argument("--backbone", action="store_true", default=None, help=backbone)
    classes = "classes of the network; default: the file's, of nanodet the person alone"
    command.add_argument("--num-classes", type=int, metavar="N", help=classes)
    keep = "keep one class of a detector alone; 0 is COCO's person, the default of nanodet"
    command.add_argument("--keep-class", type=int, metavar="LABEL", help=keep)
    command.add_argument("--force", action="store_true", help="import a ResNet that seems to be of another style")
    command.set_defaults(run=_import)


def _add_average(actions: Commands) -> None:
    command = actions.add_parser(
        "average",
        help="the mean of a network and of the one that it was trained from",
        epilog="example: actparse weights average a/tracks.safetensors run/tracks.safetensors --out tracks.safetensors",
    )
    command.add_argument("start", type=Path, metavar="START", help="the file that training started from")
    command.add_argument("tuned", type=Path, metavar="TUNED", help="the file that came out; its labels stay")
    command.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="the file to write")
    command.add_argument("--share", type=float, default=0.5, metavar="S", help="of TUNED, 0..1; default: 0.5")
    command.set_defaults(run=_average)


def _add_verify(actions: Commands) -> None:
    command = actions.add_parser(
        "verify",
        help="load a bundle or a file, check the hash of a public checkpoint",
        epilog="example: actparse weights verify tiny",
    )
    which = "a bundle, a .safetensors file, or the name of a checkpoint; default: all that is on this machine"
    command.add_argument("what", nargs="?", metavar="NAME_OR_PATH", help=which)
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
    for known in CHECKPOINTS:
        where = "cached" if is_cached(known) else "pull" if known.urls else "by hand"
        rules = "allowed" if known.is_allowed else "forbidden"
        told = "; ".join(filter(None, (known.published, ", ".join(known.trained_on), known.program, known.note)))
        columns = f"{known.network:17} {where:8} {rules:13} {known.licence:13} {known.sha256[:8] or '-':9}"
        print(f"{known.name:33} {columns} {told}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.weights.download import fetch
    from actparse.weights.registry import checkpoint

    for known in [checkpoint(name) for name in args.names]:
        with counted("bytes", known.name) as progress:
            path = fetch(known, mirrors=args.mirror, offline=args.offline, progress=progress, report=_tell)
        _tell_rules(known)
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
        for what, names in (("missing", error.missing), ("unused", error.unused)):
            print("".join(f"{what:8} {name}\n" for name in names), end="")
        raise
    named = checkpoint_of_name(Path(args.file).name)
    if imported.known is not None:
        _tell_rules(imported.known)
    elif named is not None:
        _tell(f"{args.file}: has the name of {named.name} and another SHA-256: {imported.sha256}")
    entries = imported.entries
    for what, names in (("fresh", entries.fresh), ("folded", entries.folded), ("aside", entries.aside)):
        print("".join(f"{what:8} {name}\n" for name in names), end="")
    print(f"{args.out}: {imported.kind}, {len(entries.filled)} entries of the file, {len(entries.fresh)} fresh")
    return 0


def _average(args: argparse.Namespace) -> int:
    from actparse.weights.averaging import average_to_file

    kept = average_to_file(args.start, args.tuned, args.out, share=args.share)
    print("".join(f"kept     {name}\n" for name in kept), end="")
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
    cached = [known.name for known in CHECKPOINTS if cached_path(known).is_file()]
    bad: list[WeightsError] = []
    for name in (*bundled_names(), *cached):
        try:
            _verify_one(name)
        except WeightsError as error:
            bad.append(error)
    if not bad:
        return 0
    for other in bad[:-1]:
        _tell(str(other))
    raise bad[-1]


def _verify_one(what: str) -> None:
    from actparse.stages.loading import bundled_names, load_bundle
    from actparse.weights.bundle import load_network
    from actparse.weights.download import check_cached
    from actparse.weights.registry import CHECKPOINTS

    known = next((known for known in CHECKPOINTS if known.name == what), None)
    if known is not None:
        sha256 = check_cached(known)
        print(f"{known.name} {sha256}" + ("" if known.sha256 else " (no hash is published)"))
    elif Path(what).is_file() and what not in bundled_names():
        file = load_network(Path(what))
        print(f"{file.kind:14} {file.sha256}")
    else:
        for kind, sha256 in load_bundle(what).model.items():
            print(f"{kind:14} {sha256}")


def _tell_rules(known: Checkpoint) -> None:
    if not known.is_allowed:
        _tell(f"{known.name}: trained on {' and '.join(known.trained_on)}: the Kinetics-TPS rules forbid it")


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
