"""`firstbell reference`: everything a course file can say, and everything the command line can do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from firstbell.cli.show import Terminal
from firstbell.config.reference import reference_markdown, reference_schema, reference_toml
from firstbell.errors import EXIT_CODES


def reference(
    context: typer.Context,
    schema: Annotated[bool, typer.Option("--schema", help="As a JSON Schema, for editors.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page of documentation.")] = False,
    commands: Annotated[bool, typer.Option("--commands", help="The command line instead, as a page.")] = False,
) -> None:
    """Print an annotated course file with every key."""
    if schema + markdown + commands > 1:
        raise typer.BadParameter("--schema, --markdown and --commands exclude each other")
    if commands:
        text = reference_commands(context.find_root().command)
    elif schema:
        text = reference_schema()
    else:
        text = reference_markdown() if markdown else reference_toml()
    Terminal().raw(text)


def reference_commands(top: Any) -> str:
    """The documentation page of the command line, generated from the commands themselves."""
    lines = [
        "# The command line",
        "",
        "This page is generated (`firstbell reference --commands`). COURSE is a `firstbell.toml` or the folder it is",
        "in; without it the current folder is meant.",
    ]
    for name, command in _commands(top, "firstbell"):
        lines += ["", f"## `{name}`", "", (command.help or "").strip(), "", *_parameters(command)]
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(lines) + "\n"


def _commands(command: Any, name: str) -> list[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        return [(name, command)]
    return [found for child, inner in children.items() for found in _commands(inner, f"{name} {child}")]


def _parameters(command: Any) -> list[str]:
    rows = []
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        shown = ", ".join(parameter.opts) if is_option else (parameter.metavar or parameter.name.upper())
        if is_option and not parameter.is_flag:
            shown += f" {parameter.metavar or parameter.name.upper()}"
        shown = shown.replace("|", "\\|")
        rows.append(f"| `{shown}` | {getattr(parameter, 'help', None) or ''} |")
    return ["| | |", "|---|---|", *rows] if rows else []
