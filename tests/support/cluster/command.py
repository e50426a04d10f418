"""`tests/cluster/swarm`: start a Swarm of several Docker daemons on this machine, and keep it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.cluster import place
from tests.support.cluster.swarm import Cluster, attached, bring_down, bring_up

_HERE = "tests/cluster/swarm"
_DEFAULT = "dev"
_ON_A_NODE = {
    "kill": "a power cut",
    "stop": "shut it down in good order",
    "start": "switch it on again after either",
    "cut": "pull its cable",
    "heal": "put its cable in, and hold nothing back any more",
}


def main() -> int:
    """Run what the arguments say; the exit code."""
    arguments = _parser().parse_args()
    name, run = arguments.name, arguments.run
    if run is _up or run is _down:
        return int(run(arguments))
    try:
        made = attached(name)
    except FileNotFoundError:
        sys.exit(f"No cluster named {name} runs. Start one: {_line('up', name)}")
    if "node" in arguments and arguments.node not in {node.name for node in made.nodes}:
        known = ", ".join(node.name for node in made.nodes)
        sys.exit(f"{name} has no node named {arguments.node}, it has {known}.")
    return int(run(made, arguments))


def _up(arguments: argparse.Namespace) -> int:
    name = arguments.name
    try:
        made = attached(name)
    except FileNotFoundError:
        made = bring_up(name, nodes=arguments.nodes, managers=arguments.managers, keep=True)
    _status(made, arguments)
    print(f"""
In firstbell.toml:
  url = "http://{made.manager.address}:8000"    # this machine's browser reaches it

  [engine]
  kind = "swarm"
  host = "{made.manager.host}"
Then ./firstbell up, or as on the manager itself, where `host` is not needed: {_line("run", name)} node1 ./firstbell up
The manager's Docker in this shell: eval "$({_line("env", name)})"
When done: {_line("down", name)}""")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    bring_down(arguments.name)
    kept = place.base() / "kept"
    print(f"No cluster named {arguments.name} is left. Images are kept in {kept}; remove it to free the disk.")
    return 0


def _status(made: Cluster, _: argparse.Namespace) -> int:
    states = made.states()
    for node in made.nodes:
        state = states.get(node.name, "not seen by the manager") if node.pid else "off"
        role = "manager" if node == made.manager else ""
        print(f"{node.name}  {node.address:<14}{state:<10}{role:<9}{node.host}")
    return 0


def _env(made: Cluster, _: argparse.Namespace) -> int:
    print(f"export DOCKER_HOST={made.manager.host}")
    return 0


def _load(made: Cluster, arguments: argparse.Namespace) -> int:
    made.load(*arguments.images)
    return 0


def _run(made: Cluster, arguments: argparse.Namespace) -> int:
    words = made.node(arguments.node).inside(*arguments.words, cwd=Path.cwd())
    return subprocess.run(words, check=False).returncode


def _slow(made: Cluster, arguments: argparse.Namespace) -> int:
    made.node(arguments.node).slow(arguments.milliseconds, arguments.loss)
    return 0


def _on_node(made: Cluster, arguments: argparse.Namespace) -> int:
    node = made.node(arguments.node)
    {"kill": node.kill, "start": node.start, "stop": node.stop, "cut": node.cut, "heal": node.heal}[arguments.verb]()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_HERE, description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(word: str, what: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        made = verbs.add_parser(word, help=what, description=what)
        made.add_argument("--name", default=_DEFAULT, help="several can stand side by side (default: dev)")
        made.set_defaults(run=run)
        return made

    up = verb("up", "start it, and keep it until `down`", _up)
    up.add_argument("--nodes", type=int, default=3, help="how many (default: 3)")
    up.add_argument("--managers", type=int, default=1, help="so many of them are managers (default: 1)")
    verb("status", "its nodes, as its manager sees them", _status)
    verb("env", "a line for your shell, which lets `docker` talk to the manager", _env)
    verb("load", "copy images of this machine's engine to every node", _load).add_argument("images", nargs="+")
    run = verb("run", "a command on a node: its network and Docker socket, this machine's files", _run)
    run.add_argument("node")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="word")
    for word, what in _ON_A_NODE.items():
        verb(word, what, _on_node).add_argument("node")
    slow = verb("slow", "every packet that leaves a node comes later, or never", _slow)
    slow.add_argument("node")
    slow.add_argument("milliseconds", type=int)
    slow.add_argument("loss", type=float, nargs="?", default=0.0, help="percent")
    verb("down", "end and remove it; images are kept for the next one", _down)
    return parser


def _line(verb: str, name: str) -> str:
    return f"{_HERE} {verb}" + ("" if name == _DEFAULT else f" --name {name}")


if __name__ == "__main__":
    sys.exit(main())
