"""`firstbell homes`: people's files."""

from __future__ import annotations

import typer

app = typer.Typer(help="People's files: list, export, import, delete.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Later."""


@app.command("export")
def export() -> None:
    """Later."""
