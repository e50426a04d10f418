"""JupyterHub's rule for who may enter: does a user hold one of the scopes that a server asks for?"""

from __future__ import annotations

from typing import AbstractSet


def granted(required: AbstractSet[str], held: AbstractSet[str]) -> frozenset[str]:
    """The scopes of ``required`` that ``held`` covers entirely; empty means: no entry.

    The same answers as ``jupyterhub.services.auth.check_scopes`` (a test compares them), without its dependencies. A
    scope is ``base`` or ``base!filter=value``. Held without a filter covers every filter; a user covers all servers of
    that user (``!user=ada`` covers ``!server=ada/``). Groups are compared by name only: whose they are knows the hub.
    """
    return frozenset(scope for scope in required if _covers(held, scope, required))


def _covers(held: AbstractSet[str], scope: str, required: AbstractSet[str]) -> bool:
    base, _, condition = scope.partition("!")
    if scope in held or base in held:
        return True
    if base in required:
        return False  # JupyterHub reads filters beside their unfiltered base literally; never be more generous
    kind, _, value = condition.partition("=")
    return kind == "server" and f"{base}!user={value.partition('/')[0]}" in held
