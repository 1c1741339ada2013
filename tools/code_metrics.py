"""Measure how the package is built, and fail above the limits: sizes, crowded folders, single-use helpers, vague names.

python tools/code_metrics.py

A limit is today's value or the goal; lower it when a change improves the value.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "actparse"
VAGUE_NAMES = frozenset(
    [
        "found",
        "known",
        "asked",
        "told",
        "said",
        "own",
        "seen",
        "shown",
        "made",
        "kept",
        "named",
        "place",
        "way",
        "each",
        "number",
        "numbers",
        "rows",
        "now",
        "before",
        "there",
        "what",
    ]
)
LIMITS = {
    "lines": 57_682,
    "lines of training": 6_348,
    "lines of the largest file": 450,
    "modules in no folder": 6,
    "modules in the largest folder": 16,
    "private functions that are used once, %": 15.0,
    "vague names per 1,000 lines": 1.8,
}


def main() -> int:
    """Print each metric with its limit; return 1 if one is above it."""
    metrics = measure(PACKAGE)
    for name, value in metrics.items():
        print(f"{name:42}{value:10,.1f}  limit {LIMITS[name]:,}{'' if value <= LIMITS[name] else '  ABOVE'}")
    return int(any(value > LIMITS[name] for name, value in metrics.items()))


def measure(package: Path) -> dict[str, float]:
    """Return the metrics of a package's folder, by name."""
    texts = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    lines = {path: text.count("\n") for path, text in texts.items()}
    functions = single_use = vague = 0
    for text in texts.values():
        words = Counter(re.findall(r"\b\w+\b", text))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions += 1
                is_private = node.name.startswith("_") and not node.name.startswith("__")
                single_use += is_private and words[node.name] == 2
                vague += sum(argument.arg in VAGUE_NAMES for argument in (*node.args.args, *node.args.kwonlyargs))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                vague += node.id in VAGUE_NAMES
    total = sum(lines.values())
    return {
        "lines": total,
        "lines of training": sum(count for path, count in lines.items() if package / "training" in path.parents),
        "lines of the largest file": max(lines.values()),
        "modules in no folder": sum(path.parent == package for path in texts),
        "modules in the largest folder": max(Counter(path.parent for path in texts).values()),
        "private functions that are used once, %": 100 * single_use / functions,
        "vague names per 1,000 lines": 1000 * vague / total,
    }


if __name__ == "__main__":
    sys.exit(main())
