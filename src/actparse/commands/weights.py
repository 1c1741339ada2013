"""Command "weights"."""

from __future__ import annotations

import argparse

from actparse.commands.options import Commands


def add_commands(commands: Commands) -> None:
    """Make them known."""
    _add_weights(commands)


def _add_weights(commands: Commands) -> None:
    command = commands.add_parser("weights", help="list the bundles, verify one, or import a public checkpoint")
    actions = command.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="the bundles that the package ships").set_defaults(run=_weights_list)
    verify = actions.add_parser("verify", help="load every network of a bundle")
    verify.add_argument("bundle", nargs="?", default="tiny", metavar="NAME_OR_PATH")
    verify.set_defaults(run=_weights_verify)


def _weights_list(args: argparse.Namespace) -> int:
    from actparse.stages.loading import bundle_folder, bundled_names

    for name in bundled_names():
        folder = bundle_folder(name)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        print(f"{name:10} {size / 1e6:.1f} MB  {folder}")
    return 0


def _weights_verify(args: argparse.Namespace) -> int:
    from actparse.stages.loading import load_bundle

    for kind, sha256 in load_bundle(args.bundle).model.items():
        print(f"{kind:14} {sha256}")
    return 0
