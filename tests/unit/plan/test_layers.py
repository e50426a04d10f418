"""A build's layers: the history with the builder's times."""

from __future__ import annotations

from firstbell.model.image import Layer, Progress
from firstbell.plan.layers import built_layers, short


def test_times_are_put_to_their_instructions() -> None:
    """Each instruction has its time; what the base brought and what the builder did not tell have none."""
    history = [Layer("", 80), Layer("ENV A=1"), Layer("COPY a /b", 5), Layer("RUN x && y", 7)]
    told = [
        Progress("RUN --mount=type=cache,target=/c     x && y", 3, 3, seconds=2.5),
        Progress("COPY a /b", 2, 3, seconds=0.0, is_cached=True),
        Progress("FROM base", 1, 3, seconds=0.0),
    ]
    assert built_layers(history, told) == (
        Layer("", 80),
        Layer("ENV A=1"),
        Layer("COPY a /b", 5, 0.0, is_cached=True),
        Layer("RUN x && y", 7, 2.5),
    )


def test_variables_may_be_told_by_their_values() -> None:
    """BuildKit tells `echo 3` of what the history has as `echo $N`."""
    built = built_layers([Layer("RUN echo $N ${M}", 1)], [Progress("RUN echo 3 4", 2, 2, seconds=1.0)])
    assert built[0].seconds == 1.0


def test_earlier_stages_are_not_taken_for_the_last() -> None:
    """Of two steps with the same words the later one is meant."""
    told = [Progress("RUN x", 2, 2, seconds=9.0), Progress("RUN x", 3, 3, seconds=1.0)]
    assert built_layers([Layer("RUN x", 1)], told)[0].seconds == 1.0


def test_short() -> None:
    """Our own scripts go by their names, long instructions are cut."""
    assert short("RUN /opt/firstbell/build/apt-install   tree") == "RUN apt-install tree"
    assert short("RUN " + "x" * 100, 10) == "RUN xxxxx…"
