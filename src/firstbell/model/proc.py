"""What Linux tells in its files about a machine; no reading of files here."""

from __future__ import annotations


def parse_meminfo(text: str) -> dict[str, int]:
    """`/proc/meminfo` in bytes, by its own names (man 5 proc_meminfo)."""
    rows = (line.replace(":", " ").split() for line in text.splitlines())
    return {row[0]: int(row[1]) * 1024 for row in rows if len(row) == 3 and row[1].isdigit()}


def parse_pressure(text: str) -> float:
    """`some avg10=…` of a pressure file (docs.kernel.org/accounting/psi.html); 0 where there is none."""
    for line in text.splitlines():
        if line.startswith("some "):
            return float(line.split("avg10=")[1].split()[0])
    return 0.0
