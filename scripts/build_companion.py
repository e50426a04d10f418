"""Makes the companion's one file from its modules: `python -m scripts.build_companion`; `--check` only compares.

The modules in `src/companion` import from each other and export, so that editors and node understand them. A page loads
one plain script: they are put one behind the other, in the order of their imports, without imports, comments and
indentation, within one function. Nothing is renamed, so every name at the outermost level may be used once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src/companion"
TARGET = ROOT / "src/firstbell/singleuser/companion/companion.js"
ENTRY = "container.js"
_IMPORT = re.compile(r"import \{[^}]*\} from '\./([a-z]+\.js)';\n")
_EXPORT = re.compile(r"^export ", re.MULTILINE)
_COMMENT = re.compile(r"^\s*(?://.*|/\*\*.*\*/)\n", re.MULTILINE)
_NAMES = re.compile(r"^(?:const|let|class|function|async function) (\w+)", re.MULTILINE)


class Twice(Exception):
    """A name stands for two things."""


def order(entry: str, source: Path) -> list[str]:
    """The modules that `entry` needs, each behind those that it imports itself."""
    found: list[str] = []

    def visit(name: str) -> None:
        for needed in _IMPORT.findall((source / name).read_text()):
            visit(needed)
        if name not in found:
            found.append(name)

    visit(entry)
    return found


def bundle(source: Path = SOURCE) -> str:
    """The script. Raises Twice."""
    parts = [_plain((source / name).read_text()) for name in order(ENTRY, source)]
    names = [name for part in parts for name in _NAMES.findall(part)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Twice(f"{', '.join(twice)} at the outermost level of two modules")
    body = "".join(line.strip() + "\n" for part in parts for line in part.splitlines() if line.strip())
    return f'// Firstbell\'s companion. Made by scripts/build_companion.py.\n(() => {{\n"use strict";\n{body}}})();\n'


def _plain(text: str) -> str:
    return _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))


def main() -> int:
    """Write it, or with `--check` say whether it is written; the exit code."""
    made = bundle()
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() == made:
            return 0
        print("The companion is older than its modules: python -m scripts.build_companion", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
