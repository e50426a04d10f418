"""The rule for who may enter is JupyterHub's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyterhub.services.auth import check_scopes

from firstbell.singleuser.scopes import granted

BASES = ["access:servers", "access:services", "read:users"]
FILTERS = ["", "!user=ada", "!user=bob", "!server=ada/", "!server=ada/second", "!server=bob/", "!group=class"]
SCOPES = st.sets(st.builds("{}{}".format, st.sampled_from(BASES), st.sampled_from(FILTERS)), max_size=5)


@given(required=SCOPES, held=SCOPES)
@settings(max_examples=2000, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_same_answer_as_jupyterhub(required: set[str], held: set[str]) -> None:
    """For any scopes asked for and held, entry is granted exactly where JupyterHub's own check grants it."""
    assert bool(granted(required, held)) == bool(check_scopes(required, held))


@pytest.mark.parametrize(
    ("held", "enters"),
    [
        ({"access:servers!server=ada/"}, True),
        ({"access:servers!user=ada"}, True),
        ({"access:servers"}, True),
        ({"access:servers!user=adam"}, False),
        ({"access:servers!server=ada/second"}, False),
        ({"access:servers!server=bob/"}, False),
        ({"access:services"}, False),
        ({"access:servers!group=class"}, False),
        ({"access:servers!user="}, False),
        (set(), False),
    ],
)
def test_who_enters_adas_server(held: set[str], enters: bool) -> None:
    """Ada, whoever holds the scope of her server, and who may enter all; nobody else."""
    required = {"access:servers!server=ada/", "access:servers!user=ada"}
    assert bool(granted(required, held)) is enters


def test_nothing_asked_for_lets_nobody_in() -> None:
    """An empty list of scopes opens nothing."""
    assert not granted(set(), {"access:servers"})
