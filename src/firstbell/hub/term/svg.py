"""Plots over time as SVG, for a page and as a file of their own. Pure.

On a page the sheet `activity.css` colours them; a file has its own style, dark on white, as it goes onto paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from firstbell.hub.term.stays import DAY, HOUR, days_between
from firstbell.model.axis import round_steps

WIDTH, HEIGHT = 640, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 40, 30
_MOST_LABELS = 9
_LABEL = 40
"""As wide as a day's name is, about."""
_STYLE = (
    ".plot{font:12px system-ui,sans-serif}.plot text{fill:#1d2529}.plot .grid{stroke:#d9d5cb}.plot .ground{fill:#fff}"
    ".plot .name{font-weight:600}.plot .bar,.plot .box{fill:#0f5f68}.plot .box{fill-opacity:.35}"
    ".plot .whisker{stroke:#0f5f68}.plot .middle{stroke:#0b4a51;stroke-width:2.5}"
    ".plot .line{fill:none;stroke:#0f5f68;stroke-width:1.8}.plot .other{fill:none;stroke:#8c4a12;stroke-width:1.5}"
    ".plot .limit{fill:none;stroke:#55626a;stroke-dasharray:5 4}"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot, and the same as a table for whoever does not see it."""

    name: str
    """A word: its file's name."""
    title: str
    words: str
    """A sentence: what is shown, with its most."""
    body: str
    """SVG inside a `viewBox` of WIDTH and HEIGHT; empty where there is nothing to show."""
    key: tuple[tuple[str, str], ...]
    """Class and name of what is drawn."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things are: from when to when (Unix seconds), and what the axis at the side reaches."""

    begin: float
    end: float
    step: float
    steps: int
    zone: ZoneInfo

    @classmethod
    def over(cls, begin: float, end: float, most: float, zone: ZoneInfo) -> Frame:
        """With round steps up to `most`."""
        return cls(begin, max(end, begin + HOUR), *round_steps(most), zone)

    def x(self, at: float) -> float:
        """Of that moment."""
        part = (min(max(at, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return round(_LEFT + part * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Of that number."""
        return round(HEIGHT - _BOTTOM - value / (self.step * self.steps) * (HEIGHT - _TOP - _BOTTOM), 1)

    def grid(self, unit: str) -> str:
        """Lines, numbers and days."""
        parts = [f'<text x="4" y="{_TOP - 12}">{escape(unit)}</text>']
        for number in range(self.steps + 1):
            y = self.y(self.step * number)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{self.step * number:g}</text>')
        for at, label in self._labels():
            x, y = self.x(at), HEIGHT - _BOTTOM
            parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{y}" y2="{y + 5}"/>')
            anchor = "middle" if x < WIDTH - _RIGHT - _LABEL / 2 else "end"
            parts.append(f'<text x="{x}" y="{y + 19}" text-anchor="{anchor}">{label}</text>')
        return "".join(parts)

    def _labels(self) -> list[tuple[float, str]]:
        """Moments below the axis: days, or hours of no more than two."""
        span = self.end - self.begin
        if span <= 2 * DAY:
            step = 6 * HOUR if span > DAY else 3 * HOUR
            moments = range(int(-(-self.begin // step) * step), int(self.end) + 1, step)
            return [(at, f"{datetime.fromtimestamp(at, self.zone):%H:%M}") for at in moments]
        step = next((days for days in (1, 2, 7, 14, 28, 91) if span / DAY / days <= _MOST_LABELS), 182)
        days = days_between(self.begin, self.end, self.zone, step)
        return [(at, f"{day.day} {day:%b}") for day, at in days]

    def bars(self, bars: Iterable[tuple[float, float, float]]) -> str:
        """Each from then to then, so high."""
        parts = []
        for begin, end, value in bars:
            x, y = self.x(begin), self.y(value)
            if value:
                wide = max(0.6, self.x(end) - x - 0.4)
                parts.append(f"M{x} {HEIGHT - _BOTTOM}V{y}h{wide:.1f}V{HEIGHT - _BOTTOM}z")
        return f'<path class="bar" d="{"".join(parts)}"/>' if parts else ""

    def boxes(self, boxes: Iterable[tuple[float, float, Sequence[float]]]) -> str:
        """Each in the middle of a stretch: least, lower quartile, median, upper quartile, most."""
        parts = []
        for begin, end, (least, low, middle, high, most) in boxes:
            left, right = self.x(begin), self.x(end)
            half, x = max(1.5, (right - left) * 0.3), (left + right) / 2
            one, other = f"{x - half:.1f}", f"{x + half:.1f}"
            ends = f'x1="{x:.1f}" x2="{x:.1f}"'
            parts.append(f'<line class="whisker" {ends} y1="{self.y(least)}" y2="{self.y(most)}"/>')
            tall = max(0.5, self.y(low) - self.y(high))
            parts.append(f'<rect class="box" x="{one}" y="{self.y(high)}" width="{2 * half:.1f}" height="{tall:.1f}"/>')
            parts.append(f'<line class="middle" x1="{one}" x2="{other}" y1="{self.y(middle)}" y2="{self.y(middle)}"/>')
        return "".join(parts)

    def line(self, kind: str, points: Iterable[tuple[float, float]], gap: float) -> str:
        """A line of that class, broken where nothing is known for longer than `gap` seconds."""
        path, last = [], float("-inf")
        for at, value in points:
            path.append(f"{'M' if at - last > gap else 'L'}{self.x(at)} {self.y(value)}")
            last = at
        return f'<path class="{kind}" d="{"".join(path)}"/>' if path else ""


def on_page(picture: Picture) -> str:
    """The plot for a page whose element `plot-NAME` says what it is."""
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="plot-{picture.name}">'
    return f"{head}{picture.body}</svg>"


def as_file(pictures: Sequence[Picture]) -> str:
    """A file of its own, of one plot or several below each other."""
    parts = []
    for number, picture in enumerate(pictures):
        body = picture.body or f'<text x="{_LEFT}" y="{HEIGHT / 2}">Nothing is known of this time.</text>'
        name = f'<text class="name" x="4" y="15">{escape(picture.title)}</text>{_key(picture)}'
        parts.append(f'<g transform="translate(0 {number * HEIGHT})">{name}{body}</g>')
    tall = HEIGHT * len(pictures)
    names = ", ".join(picture.title for picture in pictures)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}"'
        f' height="{tall}" role="img"><title>{escape(names)}</title><style>{_STYLE}</style>'
        f'<rect class="ground" width="{WIDTH}" height="{tall}"/>{"".join(parts)}</svg>\n'
    )


def _key(picture: Picture) -> str:
    """What the lines are, where there are several: at the right, above the plot."""
    if len(picture.key) < 2:
        return ""
    parts, x = [], WIDTH - _RIGHT
    for kind, name in reversed(picture.key):
        parts.append(f'<text x="{x}" y="{_TOP - 12}" text-anchor="end">{escape(name)}</text>')
        x -= 7 * len(name) + 6
        parts.append(f'<path class="{kind}" d="M{x - 18} {_TOP - 16}h18"/>')
        x -= 30
    return "".join(parts)
