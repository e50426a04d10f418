"""`python -m firstbell.hub`."""

import sys


def main() -> None:
    """Run the hub."""
    # jsonschema, which JupyterHub's event log imports, probes for optional checkers of formats; this one compiles a
    # grammar for 1.3 s. Half of a hub's restart, for a check that no schema of JupyterHub asks for.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    from firstbell.hub.app import main as run

    run()


if __name__ == "__main__":
    main()
