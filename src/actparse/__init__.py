"""actparse: what people in a video are doing, down to each body part, and why."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actparse.parser import Parser

    __version__: str

__all__ = ["Parser", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the parser, and torch with it, and look the version up, only on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("actparse")
    if name == "Parser":
        from actparse.parser import Parser

        return Parser
    raise AttributeError(f"module 'actparse' has no attribute {name!r}")
