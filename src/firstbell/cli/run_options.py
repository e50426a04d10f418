"""The options of `firstbell run`, in the words of its help."""

from __future__ import annotations

from typing import Annotated

import typer

from firstbell.model.container import Restart

Source = Annotated[
    str,
    typer.Argument(
        metavar="DIR|IMAGE", help="A folder, from which an image is built; or an image, NAME:TAG.", show_default="."
    ),
]
Home = Annotated[
    str,
    typer.Option(
        "--home",
        metavar="NAME|./DIR",
        help="Where files are: a home of that name, or a folder of this machine. By default a home for each folder "
        "that is run.",
    ),
]
Ephemeral = Annotated[bool, typer.Option("--ephemeral", help="Keep no files: they go when it ends.")]
Port = Annotated[
    int,
    typer.Option("--port", min=0, max=65535, help="By default the first free one from 8888.", show_default=False),
]
Address = Annotated[str, typer.Option("--ip", help="The address to listen at; 0.0.0.0 lets other machines in.")]
Token = Annotated[
    str | None, typer.Option("--token", envvar="JUPYTER_TOKEN", help="The link's secret; by default one is made.")
]
Detach = Annotated[
    bool | None,
    typer.Option("--detach/--attach", "-d", help="Return at once; or stay until Ctrl-C, as by default on a terminal."),
]
Browser = Annotated[bool, typer.Option("--browser", help="Open it in a browser.")]
Name = Annotated[str, typer.Option("--name", help="What `ps` and `stop` call it; by default after the folder.")]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME=VALUE", help="A variable, which docker inspect shows; may be repeated."),
]
Memory = Annotated[str, typer.Option("--memory", help="At most so much, such as 4G; by default all there is.")]
Cpu = Annotated[float, typer.Option("--cpu", min=0, help="At most so many cores; by default all.", show_default=False)]
Pids = Annotated[int, typer.Option("--pids", min=16, help="At most so many processes.")]
Gpus = Annotated[str, typer.Option("--gpus", metavar="all|N", help="Graphics cards: all, or how many.")]
RestartPolicy = Annotated[
    Restart, typer.Option("--restart", help="Whether it starts again after a crash, and with the machine.")
]
Uid = Annotated[
    int | None, typer.Option("--uid", min=0, help="Whose the files are; by default 1000, in a folder the caller.")
]
Gid = Annotated[int | None, typer.Option("--gid", min=0, help="Their group.")]
Sudo = Annotated[
    bool, typer.Option("--sudo", help="Let the person become root in the container, with a password that is asked for.")
]
SudoPassword = Annotated[
    str,
    typer.Option("--sudo-password", metavar="env:NAME|file:PATH", help="As --sudo; where a script has the password."),
]
Base = Annotated[str, typer.Option("--base", help="Begin the folder's image with another one.")]
Kernels = Annotated[
    list[str] | None, typer.Option("--kernel", help="A language beside Python, by its kernel; may be repeated.")
]
