"""A page of `docs/how-to`, followed word for word by somebody at a machine of a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cluster import Node
from tests.support.course import FIRSTBELL

_PAGES = Path(__file__).parents[3] / "docs" / "how-to"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class HowTo:
    """The page, whose blocks are marked `run: STEP` and `file: NAME`, and who has it before them."""

    page: str
    at: Node
    folder: Path
    variables: Mapping[str, str]
    """What the page's `$NAME` stand for."""
    words: dict[str, str] = field(default_factory=dict)
    """What is typed in the place of a word of the page: `root@$NODE2` and the like."""
    path: str = PATH

    def follow(self, step: str) -> str:
        """Type what the page says at that step; what was printed, both streams. Fails where a command does."""
        return "".join(self.type(line) for line in self._block(rf"<!-- run: {step} -->\n```\n").splitlines())

    def type(self, line: str, *, fails: bool = False) -> str:
        """A line at the machine; what was printed. A command that is to fail does."""
        for word, instead in self.words.items():
            line = line.replace(word, instead)
        environment = {**self.variables, "PATH": f"{FIRSTBELL.parent}:{self.path}"}
        done = self.at.run("sh", "-c", line, cwd=self.folder, environment=environment, check=not fails)
        assert bool(done.returncode) == fails, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def add(self, name: str) -> None:
        """Append to a file what the page says belongs into it."""
        with (self.folder / name).open("a") as file:
            file.write(self._part(name))

    def take_out(self, name: str) -> None:
        """Take that out again."""
        file = self.folder / name
        file.write_text(file.read_text().replace(self._part(name), ""))

    def _part(self, name: str) -> str:
        return self._block(rf"<!-- file: {re.escape(name)} -->\n```toml\n")

    def _block(self, beginning: str) -> str:
        (block,) = re.findall(beginning + "(.*?)```", (_PAGES / self.page).read_text(), re.DOTALL)
        return str(block)
