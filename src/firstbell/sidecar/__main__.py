"""`python3 -m sidecar`."""

from __future__ import annotations

import logging

from .settings import load


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.WARNING, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s")
    logging.getLogger("sidecar").setLevel(logging.INFO)
    logging.getLogger("tornado.application").addFilter(_is_news)
    told = load()
    from .serve import serve  # late: JupyterHub's client reads its variables from the environment when it is imported

    serve(told)


def _is_news(record: logging.LogRecord) -> bool:
    """Not what JupyterHub's client warns of at every request: the application's own pages are no business of its."""
    return not record.getMessage().startswith("Skipping XSRF check")


if __name__ == "__main__":
    main()
