"""What `firstbell init` writes: a short course file for a seminar, a class or a lab, and something to begin with."""

from __future__ import annotations

import json
from enum import StrEnum

from firstbell.config.shape import toml
from firstbell.model.names import slug


class Kind(StrEnum):
    """The sort of course."""

    SEMINAR = "seminar"
    CLASS = "class"
    LAB = "lab"


_HEAD = """\
# Every other key, explained: firstbell reference
name = {name}   # never changes: containers and homes carry it
title = {title}
url = "http://127.0.0.1:8000"   # where people go; https://… gets a certificate by itself
"""

_ACCESS = {
    Kind.SEMINAR: """
[access]
login = "seminar"   # whoever opens the URL is in; no accounts
capacity = 30       # how many can be in at once
""",
    Kind.CLASS: """
[access]
login = "roster"    # the people of roster.csv, by personal links
capacity = 40       # how many can be in at once
""",
    Kind.LAB: """
[access]
login = "roster"    # the people of roster.csv, by personal links
capacity = 12       # how many can be in at once
""",
}

_TAUGHT = """
[server]
project = "project"   # its requirements.txt becomes the image, its files are in every new home
memory = "1G"         # for each person
idle = "1h"           # then the server goes to sleep; files stay
open = "welcome.ipynb"
"""
_SERVER = {
    Kind.SEMINAR: _TAUGHT,
    Kind.CLASS: _TAUGHT,
    Kind.LAB: """
[server]
project = "project"   # its requirements.txt becomes the image, its files are in every new home
memory = "4G"         # for each person
cpu = 4
idle = "12h"          # a running cell keeps a server awake
open = "welcome.ipynb"
""",
}

_REQUIREMENTS = """\
# Python packages for everybody, one a line; JupyterLab comes by itself. System packages go into apt.txt.
"""

_ROSTER = """\
username,name,email,role,section
ada,Ada Lovelace,ada@example.org,instructor,
blaise,Blaise Pascal,blaise@example.org,student,A
"""

_GITIGNORE = "cards*.html\ninvitations*.csv\n"


def starter_files(kind: Kind, folder: str) -> dict[str, str]:
    """The files of a new course by their relative paths; its name is taken from the folder's."""
    name = slug(folder).lstrip("0123456789-") or kind.value
    title = folder.replace("-", " ").replace("_", " ").strip().capitalize() or kind.value.capitalize()
    files = {
        "firstbell.toml": _HEAD.format(name=toml(name), title=toml(title)) + _ACCESS[kind] + _SERVER[kind],
        "project/requirements.txt": _REQUIREMENTS,
        "project/welcome.ipynb": _notebook(title),
    }
    if kind is not Kind.SEMINAR:
        files |= {"roster.csv": _ROSTER, ".gitignore": _GITIGNORE}
    return files


def _notebook(title: str) -> str:
    cells = [
        {
            "cell_type": "markdown",
            "id": "welcome",
            "metadata": {},
            "source": [f"# {title}\n", "\n", "This Jupyter is yours: what you change here stays.\n"],
        },
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "first",
            "metadata": {},
            "outputs": [],
            "source": ["sum(range(1, 101))"],
        },
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
