"""`python -m tests.sizes`: no module of lms_bot over 300 lines, no function over 40. Exit code 1 where one is."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.places import PACKAGE, REPOSITORY

LONGEST_MODULE, LONGEST_FUNCTION = 300, 40


def find_too_long(folder: Path = PACKAGE) -> Iterator[str]:
    """A line for each. Migrations are left out: they are frozen."""
    for path in sorted(folder.rglob("*.py")):
        if path.parent.name == "migrations":
            continue
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > LONGEST_MODULE:
            yield f"{path.relative_to(REPOSITORY)}: {lines} lines; at most {LONGEST_MODULE}"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    where = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
                    yield f"{where}: {node.name} has {length} lines; at most {LONGEST_FUNCTION}"


if __name__ == "__main__":
    found = list(find_too_long())
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(bool(found))
