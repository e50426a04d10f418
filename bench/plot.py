"""Small plots as SVG, drawn without any library: the same figures give the same file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Series = Mapping[str, Sequence[tuple[float, float]]]

_WIDTH, _HEIGHT = 720, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 24, 62, 54
_COLOURS = ("#1f6feb", "#d1651a", "#2d8a4e", "#8250df")
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """What is drawn along one side."""

    label: str
    log: bool = False
    """A logarithmic one: what it shows is above 0."""
    zero: bool = True
    """Begins at 0, unless it is logarithmic."""


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    begin: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, max(value, self.low)))
        return self.begin + (value - low) / (high - low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Round values, both ends among them."""
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = _round_step((self.high - self.low) / _TICKS)
        count = round((self.high - self.low) / step)
        return [self.low + step * number for number in range(count + 1)]


def plot(title: str, x: Axis, y: Axis, series: Series, *, dots: bool = False) -> str:
    """An SVG of the series, each a line of its points in order, with `dots` also these. Raises ValueError for none."""
    points = [point for line in series.values() for point in line]
    if not points:
        raise ValueError(f"nothing to draw: {title}")
    across = _scale([px for px, _ in points], x, _LEFT, _WIDTH - _RIGHT)
    up = _scale([py for _, py in points], y, _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(title, x, y), *_grid(across, up), *_legend(list(series))]
    for number, line in enumerate(series.values()):
        parts += _drawn(line, across, up, _COLOURS[number % len(_COLOURS)], dots=dots)
    return "\n".join((*parts, "</svg>", ""))


def shares(values: Sequence[float]) -> list[tuple[float, float]]:
    """Points of a cumulative curve: (value, per cent of all that are at most that)."""
    ordered = sorted(values)
    return [(value, 100 * (place + 1) / len(ordered)) for place, value in enumerate(ordered)]


def _frame(title: str, x: Axis, y: Axis) -> str:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#24292f" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n'
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>\n'
        f'<text x="{middle:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(x.label)}</text>\n'
        f'<text transform="translate(18 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y.label)}</text>"
    )


def _grid(across: _Scale, up: _Scale) -> list[str]:
    parts = []
    for value in up.ticks():
        at = up(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e3e6ea"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_tick(value)}</text>')
    for value in across.ticks():
        at, foot = across(value), _HEIGHT - _BOTTOM
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{foot}" y2="{foot + 5}" stroke="#57606a"/>')
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{_tick(value)}</text>')
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    parts, left = [], float(_LEFT)
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="{left:.0f}" y="36" width="14" height="10" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{left + 20:.0f}" y="46">{escape(name)}</text>')
        left += 44 + 7.2 * len(name)
    return parts


def _drawn(line: Sequence[tuple[float, float]], across: _Scale, up: _Scale, colour: str, *, dots: bool) -> list[str]:
    path = " ".join(f"{across(px):.1f},{up(py):.1f}" for px, py in line)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    if dots:
        parts += [f'<circle cx="{across(px):.1f}" cy="{up(py):.1f}" r="3.5" fill="{colour}"/>' for px, py in line]
    return parts


def _scale(values: Sequence[float], axis: Axis, begin: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    if axis.log:
        low = 10.0 ** math.floor(math.log10(max(low, 1e-3)))
        high = 10.0 ** max(math.ceil(math.log10(max(high, 1e-3))), math.log10(low) + 1)
        return _Scale(low, high, begin, end, log=True)
    low = min(low, 0.0) if axis.zero else low
    step = _round_step((high - low) / _TICKS or 1.0)
    low = math.floor(low / step) * step
    return _Scale(low, max(math.ceil(high / step), round(low / step) + 1) * step, begin, end, log=False)


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10 … above."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _tick(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 or value == int(value) else f"{value:g}"
