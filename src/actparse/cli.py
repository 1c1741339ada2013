"""The command line interface; the commands are in commands/, one thin function for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Group, MissingArgumentError, Parameter

import actparse
from actparse.commands import (
    batch,
    converting,
    datasets,
    inspecting,
    parsing,
    repetitions,
    reporting,
    reproducing,
    scoring,
    training,
    watching,
    weights,
)
from actparse.commands.config_files import FileOptions
from actparse.commands.help import HelpFormatter, epilogue
from actparse.commands.options import EXIT_INTERRUPTED, EXIT_PIPE_CLOSED, EXIT_USER_ERROR, print_json
from actparse.core.errors import ActparseError, ConfigError
from actparse.core.files import printable
from actparse.core.progress import silent
from actparse.core.signals import end_on_signals


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print a script that completes commands and options in your shell.

    The script completes commands, options, their choices and files.

    Args:
        shell: the shell that reads the script

    Examples:
      source <(actparse completion bash)            # this session, or in ~/.bashrc
      actparse completion zsh > ~/.zfunc/_actparse  # a folder of your $fpath
      actparse completion fish > ~/.config/fish/completions/actparse.fish
    """
    print(APP.generate_completion(shell=shell))
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "parse": parsing.parse,
    "batch": batch.batch,
    "demo": parsing.demo,
    "watch": watching.watch,
    "why": reporting.why,
    "report": reporting.report,
    "reps": repetitions.reps,
    "convert": converting.convert,
    "synth": datasets.synth,
    "data labels": datasets.labels,
    "data import": datasets.import_dataset,
    "data check": datasets.check,
    "data stats": datasets.stats,
    "data show": datasets.show,
    "data index": datasets.index,
    "data flow": datasets.flow,
    "train": training.train,
    "evaluate": scoring.evaluate,
    "evaluate-poses": scoring.evaluate_poses,
    "submit": scoring.submit,
    "diagnose": scoring.diagnose,
    "calibrate": scoring.calibrate,
    "reproduce": reproducing.reproduce,
    "compute": inspecting.compute,
    "models": inspecting.models,
    "weights list": weights.list_weights,
    "weights pull": weights.pull,
    "weights import": weights.import_checkpoint,
    "weights average": weights.average,
    "weights verify": weights.verify,
    "doctor": inspecting.doctor,
    "completion": completion,
}
GROUPS = {
    "data": "Import your own data; check, count, show or index a dataset.\n\nThe half-million annotation files of "
    "Kinetics-TPS are read only once; interrupted work resumes.",
    "weights": "List, download, import, average and verify weights.",
}
EPILOGUE = """\
examples:
  actparse demo
  actparse parse video.mp4 --out parses
  actparse COMMAND --help
exit codes: 0 done; 1 some of several failed; 2 wrong input or option,
  with a one-line error; 130 interrupted"""
OPTIONS = Group("Options", sort_key=1)
COMMON = Group("Common options", sort_key=3)


def build_app() -> App:
    """Build the command line from the functions in COMMANDS."""
    app = App(
        name="actparse",
        help="What people in a video do, down to each body part.",
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        help_formatter=HelpFormatter(),
        version=lambda: f"actparse {actparse.__version__}",
        group_parameters=OPTIONS,
        group_commands=Group("Commands", sort_key=0),
        default_parameter=Parameter(negative=(), allow_repeating=True),
        suppress_keyboard_interrupt=False,
    )
    groups = {"": app}
    for index, (name, command) in enumerate(COMMANDS.items()):
        group, _, leaf = name.rpartition(" ")
        if group not in groups:
            example = f"examples:\n  actparse {group} COMMAND --help"
            groups[group] = App(name=group, help=GROUPS[group], help_epilogue=example, sort_key=index)
            app.command(groups[group])
        groups[group].command(command, name=leaf, help_epilogue=epilogue(command), sort_key=index)
    app.meta.suppress_keyboard_interrupt = False
    app.meta.default(launch)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a test or a notebook may have replaced it
            stream.reconfigure(errors="backslashreplace")  # any file name can be printed in any encoding
    end_on_signals()
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    APP.config = ()
    try:
        code = APP.meta(tokens, exit_on_error=False, print_error=False, result_action="return_value") or 0
        sys.stdout.flush()
    except CycloptsError as error:
        command = " ".join(("actparse", *(error.command_chain or ())))
        print(f"{command}: {printable(_message(error))} (see {command} --help)", file=sys.stderr)
        return EXIT_USER_ERROR
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python prints no error at exit
        return EXIT_PIPE_CLOSED
    except OSError as error:
        print(f"actparse: {printable(_message(error))}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("actparse: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return int(code)


def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), group=COMMON, negative=())] = False,
    config: Annotated[Path | None, Parameter(metavar="FILE", group=COMMON)] = None,
    print_config: Annotated[bool, Parameter(group=COMMON, negative=())] = False,
) -> int:
    """Run one command.

    Args:
        tokens: the command and its arguments
        quiet: print only errors, and JSON if requested
        config: YAML file with one option per line, NAME: VALUE; flags have precedence
        print_config: print all options as YAML for --config, and stop
    """
    prints_json = False
    try:
        if tokens[:1] == ("parse",) and "-" in tokens:
            raise ConfigError("-: needs a file, got standard input: save it to a file, or use actparse watch -")
        file_options = FileOptions(config)
        APP.config = (file_options,)
        command, bound, _ = APP.parse_args(tokens, exit_on_error=False, print_error=False)
        if command not in COMMANDS.values():
            raise CycloptsError(msg="needs a COMMAND", command_chain=tokens)
        if print_config:
            print(file_options.effective(), end="")
            return 0
        prints_json = bound.arguments.get("json") in (True, ())
        with _quiet_output(prints_json=prints_json) if quiet else nullcontext():
            code = command(*bound.args, **bound.kwargs)
            sys.stdout.flush()  # a full device or a closed pipe raises its error here, not at exit
        return int(code)
    except BrokenPipeError:
        raise
    except (ActparseError, OSError) as error:
        print(f"actparse: {printable(_message(error))}", file=sys.stderr)
        if prints_json:
            with suppress(OSError):  # standard output itself may be what failed
                print_json({"error": printable(_message(error))})
        return EXIT_USER_ERROR


def _message(error: Exception) -> str:
    """Return the text of an error in one line."""
    if isinstance(error, OSError):
        return (f"{error.filename}: " if error.filename else "") + str(error.strerror or error)
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        return f"{name if error.argument.index is None else name.lstrip('-').upper()} needs a value"
    if isinstance(error, CycloptsError):
        error.verbose = False  # without the place in the code
        text = " ".join(str(error).split())
        return text if text.endswith("...") else text.removesuffix(".")
    text = str(error)
    if text.startswith("Caught "):  # by PyTorch in a process that prepares batches; the message follows the traceback
        return text.strip().splitlines()[-1].partition(": ")[2]
    return text


@contextmanager
def _quiet_output(*, prints_json: bool) -> Iterator[None]:
    """Print only requested JSON to standard output, and only errors to standard error."""
    with silent():
        if prints_json:
            yield
            return
        with Path(os.devnull).open("w", encoding="utf-8", errors="replace") as devnull, redirect_stdout(devnull):
            yield


APP = build_app()

if __name__ == "__main__":
    sys.exit(main())
