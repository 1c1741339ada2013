"""actparse: what people in a video are doing, down to each body part, and why."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actparse.parser import Parser

__all__ = ["Parser", "__version__"]
__version__ = version("actparse")


def __getattr__(name: str) -> Any:
    """Import the parser, and torch with it, only on first use."""
    if name == "Parser":
        from actparse.parser import Parser

        return Parser
    raise AttributeError(f"module 'actparse' has no attribute {name!r}")
