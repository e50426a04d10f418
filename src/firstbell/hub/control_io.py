"""What the programs beside a hub have in common: where its files are, and how they answer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from firstbell.errors import FirstbellError
from firstbell.model import runtime


def control_arguments(program: str, verbs: Iterable[str]) -> argparse.ArgumentParser:
    """A verb, words, and the files of a hub: those of the container without being named."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--state", type=Path, default=Path(runtime.STATE_DIR))
    parser.add_argument("--course", type=Path, default=Path(runtime.COURSE_FILE))
    parser.add_argument("--secrets", type=Path, default=Path(runtime.SECRETS_FILE))
    parser.add_argument("--runtime", type=Path, default=Path(runtime.RUNTIME_FILE))
    parser.add_argument("verb", choices=list(verbs))
    parser.add_argument("names", nargs="*")
    return parser


def print_answer(ask: Callable[[], Any]) -> int:
    """Print what `ask` answers, or its refusal, as JSON; exit code 0, or that of the error."""
    try:
        result, code = ask(), 0
    except FirstbellError as error:
        facts = {"what": error.what, "where": error.where, "next_step": error.next_step}
        result, code = {"error": facts}, error.exit_code
    json.dump(result, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
    return code
