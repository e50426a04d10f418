"""Plots as inline SVG: no script, no file beside, readable in light and dark, on paper and on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from firstbell.model.axis import round_steps

Point = tuple[float, float]

_WIDTH, _HEIGHT = 480, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 28, 40


@dataclass(frozen=True, slots=True)
class Series:
    """A line, or dots, with a name. `kind` is `line`, `dots` or `crosses`."""

    name: str
    points: Sequence[Point]
    kind: str = "line"


@dataclass(frozen=True, slots=True)
class Axes:
    """What stands at the axes."""

    x: str
    y: str


def plot(number: int, title: str, words: str, axes: Axes, series: Sequence[Series]) -> str:
    """Figure `number` of the page: title, a sentence, picture; empty where there is nothing to show."""
    shown = [s for s in series if s.points]
    if not shown:
        return ""
    scale = _Scale.over([point for s in shown for point in s.points])
    body = [*_grid(scale, axes), *(_drawn(s, index, scale) for index, s in enumerate(shown))]
    key = "".join(
        f'<li class="s{i}"><span aria-hidden="true"></span>{escape(s.name)}</li>' for i, s in enumerate(shown)
    )
    return (
        f'<figure><figcaption id="figure{number}"><strong>{escape(title)}</strong> {escape(words)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="figure{number}">{"".join(body)}</svg>'
        f'<ul class="key">{key}</ul></figure>'
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    step_x: float
    steps_x: int
    step_y: float
    steps_y: int

    @classmethod
    def over(cls, points: Sequence[Point]) -> _Scale:
        return cls(*round_steps(max(x for x, _ in points)), *round_steps(max(y for _, y in points)))

    def at(self, point: Point) -> Point:
        x, y = point
        return (
            round(_LEFT + max(x, 0.0) / (self.step_x * self.steps_x) * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - max(y, 0.0) / (self.step_y * self.steps_y) * (_HEIGHT - _TOP - _BOTTOM), 1),
        )


def _grid(scale: _Scale, axes: Axes) -> list[str]:
    parts = []
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for tick in range(scale.steps_y + 1):
        _, y = scale.at((0.0, scale.step_y * tick))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{scale.step_y * tick:g}</text>')
    for tick in range(scale.steps_x + 1):
        x, _ = scale.at((scale.step_x * tick, 0.0))
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{scale.step_x * tick:g}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(axes.x)}</text>')
    parts.append(f'<text x="4" y="12">{escape(axes.y)}</text>')
    return parts


def _drawn(series: Series, index: int, scale: _Scale) -> str:
    points = [scale.at(point) for point in series.points]
    if series.kind == "line":
        path = " ".join(f"{x},{y}" for x, y in points)
        return f'<polyline class="s{index}" points="{path}"/>'
    if series.kind == "dots":
        marks = "".join(f'<circle cx="{x}" cy="{y}" r="2.6"/>' for x, y in points)
    else:
        marks = "".join(f'<path d="M{x - 4},{y - 4}l8,8m0,-8l-8,8"/>' for x, y in points)
    return f'<g class="s{index} {series.kind}">{marks}</g>'
