"""A rehearsal in words: would the course hold these people? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.rehearsal.figures import WORDS
from firstbell.rehearsal.record import Record

_NOTABLE = 1.25
"""A time is said to be another than last time's from this ratio on: less is a machine's own noise."""
_NOTABLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and why, in sentences."""

    is_yes: bool
    headline: str
    sentences: tuple[str, ...]


def verdict(record: Record, last: Record | None = None) -> Verdict:
    """No: somebody failed, or one in twenty waits longer than `patience`."""
    reasons = _reasons(record)
    headline = f"{_people(record.people)}: {'no' if reasons else 'yes'}."
    told = [*reasons, *_waits(record), *_memory(record), *_client(record), *record.remarks]
    return Verdict(not reasons, headline, (*told, *(_since(record, last) if last else ())))


def _reasons(record: Record) -> list[str]:
    found = [
        f"{_people(group.count)} did not come through: {group.cause}, at “{WORDS.get(group.stage, group.stage)}”."
        for group in record.failed
    ]
    lab = record.stage("lab")
    if lab is None:
        found.append("Nobody reached their Jupyter.")
    elif lab.p95 > record.patience:
        found.append(f"One in twenty waits {lab.p95:.1f} s or longer for Jupyter; {record.patience:.0f} s was allowed.")
    return found


def _waits(record: Record) -> list[str]:
    lab, cell = record.stage("lab"), record.stage("first_cell")
    told = []
    if lab:
        told.append(
            f"From the click to Jupyter's page the quickest waits {seconds(lab.shortest)}, half wait up to "
            f"{seconds(lab.p50)}, nineteen in twenty up to {seconds(lab.p95)}, the last {seconds(lab.longest)}."
        )
    if cell:
        told.append(f"A notebook's first result is there after {seconds(cell.p50)}, at worst {seconds(cell.longest)}.")
    return told


def _memory(record: Record) -> list[str]:
    cost = record.cost
    if not record.memory_for or not cost.server_memory:
        return []
    each = f"{cost.server_memory / 2**20:.0f} MB each"
    return [f"A server uses {each}: there is memory for {record.memory_for}."]


def _client(record: Record) -> list[str]:
    if not record.client_was_measured:
        return []
    words = "The rehearsal's own clients were the bottleneck, so the course may be faster than this: "
    return [words + "run it from another machine, or with more processes (--processes)."]


def _since(record: Record, last: Record) -> list[str]:
    """What has changed; only where both were asked the same."""
    if (record.people, record.within, record.warm) != (last.people, last.within, last.warm):
        return [f"The last rehearsal was another one ({_people(last.people)} within {last.within:g} s)."]
    changed = []
    for stage in ("lab", "first_cell"):
        now, before = record.stage(stage), last.stage(stage)
        if now and before and _is_notable(now.p95, before.p95):
            word = "slower" if now.p95 > before.p95 else "quicker"
            changed.append(
                f"{word} than last time in “{now.words}”: {seconds(now.p95)} instead of {seconds(before.p95)}"
            )
    if not changed:
        return ["As last time."]
    return [f"{text[0].upper()}{text[1:]} (19 of 20)." for text in changed]


def _is_notable(now: float, before: float) -> bool:
    low, high = sorted((now, before))
    return high - low >= _NOTABLE_SECONDS and high >= _NOTABLE * low


def seconds(value: float) -> str:
    """`0.12 s`, `3.4 s`, `75 s`."""
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 20 else f"{value:.0f} s"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
