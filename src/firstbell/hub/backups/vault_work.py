"""The keeper of the backups at work: what is due is ordered, orders are carried out, and what came of it is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from firstbell.backup.backups import Backups
from firstbell.backup.failure import hidden
from firstbell.backup.orders import Order, Orders, State, What
from firstbell.backup.schedule import late
from firstbell.backup.worker import finish
from firstbell.errors import FirstbellError
from firstbell.hub.backups.vault_book import VaultBook
from firstbell.hub.backups.vault_pace import Pace
from firstbell.hub.records.acts import ActsBook
from firstbell.model.backup import Kind, Subject
from firstbell.model.backup_report import BackupReport

LOG = logging.getLogger("firstbell.backups")

PAUSE = 1.0
"""Seconds between two looks whether there is something to do."""
SHORTEST, LONGEST = 60.0, 900.0
"""Seconds until a run that failed is tried again: a quarter of `every`, between these."""
DRILL_AGAIN = 6 * 3600.0
"""Seconds until a drill that failed is made again."""
_LONGEST_PATIENCE = 1800.0
"""Seconds in all that a run lets people go first."""


class Vault:
    """Of one course with `[backup]`."""

    def __init__(  # noqa: PLR0917 - three books, and by what the work is done
        self,
        backups: Backups,
        orders: Orders,
        book: VaultBook,
        record: ActsBook,
        pace: Pace,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backups = backups
        self._orders = orders
        self._book = book
        self._record = record
        self._pace = pace
        self._clock = clock
        self._table = backups.table
        orders.again()

    async def look(self) -> float:
        """Order what is due, then do what is first; in how many seconds to look again.

        Raises EngineUnavailable, and sqlite3.Error: what was being done is then due again.
        """
        report = self._report()
        if (run := due_run(self._orders, self._clock(), self._table.every)) is not None:
            self._orders.add(What.BACKUP, run)
        elif self._is_drill_due(report):
            self._orders.add(What.DRILL)
        order = self._orders.take()
        if order is None:
            return PAUSE
        await self._do(order, report)
        return 0.0

    async def _do(self, order: Order, report: BackupReport) -> None:
        is_ours = not order.by and order.kind is not What.RESTORE
        self._pace.begin(min(_LONGEST_PATIENCE, self._table.every / 2) if is_ours else 0.0)
        if order.kind is What.BACKUP:
            self._book.tell(replace(report, running=True))
        try:
            await finish(self._backups, self._orders, order)
        except Exception:
            self._orders.again()
            raise
        ended = self._orders.find(order.id) or order
        LOG.log(
            logging.INFO if ended.state is State.DONE else logging.WARNING, "%s: %s", order.kind, self._plain(ended)
        )
        if order.kind is What.RESTORE:
            self._recorded(ended)
        else:
            await self._tell(ended, report)

    def _plain(self, order: Order) -> str:
        """What came of it, in one line without a secret."""
        return hidden(" ".join(order.words.split()), self._table.storage)

    def _recorded(self, order: Order) -> None:
        """The end of what somebody had put back for themselves."""
        if (entry := self._book.noted(order.id)) is not None:
            words = "done" if order.state is State.DONE else f"failed: {self._plain(order)}"
            self._record.result(entry, words)

    async def _tell(self, order: Order, before: BackupReport) -> None:
        """How the backups are now."""
        ended = order.ended or self._clock()
        failure = "" if order.state is State.DONE else self._plain(order)
        if order.kind is What.DRILL:
            files = int(order.result.get("files", before.drilled_files))
            user = str(order.result.get("user", ""))
            self._book.tell(
                replace(before, drilled=ended, drilled_files=files, drilled_user=user, drill_failure=failure)
            )
        elif order.kind is What.BACKUP:
            good = before.good if failure else ended
            added = int(order.result.get("added", 0))
            report = replace(before, running=False, ended=ended, good=good, failure=failure, added=added)
            self._book.tell(report)
            self._book.tell(await self._known(report))
        elif order.kind is What.CHECK:
            self._book.tell(replace(before, checked=ended, check_failure=failure))

    async def _known(self, report: BackupReport) -> BackupReport:
        """With what the storage has now, which pages are shown, too; without it where it does not answer."""
        self._pace.begin(0.0)
        try:
            ours = await self._backups.snapshots()
            self._book.know(ours)
            subjects = (*await self._backups.homes.subjects(), *self._backups.own_subjects)
            stored = await self._backups.stored_bytes()
        except FirstbellError as error:
            LOG.warning("What the storage of the backups has is not known: %s", error.what)
            return report
        lacking = late(subjects, ours, self._table.every, self._clock())
        return replace(
            report,
            lacking=tuple(_name(one) for one in lacking),
            homes=sum(one.kind is Kind.HOME for one in self._book.subjects()),
            stored=stored,
            grown=self._book.weigh(stored),
        )

    def _report(self) -> BackupReport:
        """What was told last, as this course has it now."""
        last = self._book.report() or BackupReport(every=0)
        fresh = replace(
            last,
            every=float(self._table.every),
            drill_every=float(self._table.drill),
            since=last.since or self._clock(),
            running=False,
        )
        if fresh != last:
            self._book.tell(fresh)
        return fresh

    def _is_drill_due(self, report: BackupReport) -> bool:
        every, now = float(self._table.drill), self._clock()
        if not (every and report.homes):
            return False
        return not 0 <= now - report.drilled < (min(every, DRILL_AGAIN) if report.drill_failure else every)


def due_run(orders: Orders, now: float, every: float) -> dict[str, str] | None:
    """What to order now; None while nothing is due. A run that has left something out goes on, under its own name."""
    last = orders.last(What.BACKUP)
    if last is None:
        return {}
    if last.is_open:
        return None
    # Where the clock was set back, the last one may be in what is now the future.
    if now // every != last.asked // every:
        return {}
    pause = min(LONGEST, max(SHORTEST, every / 4))
    if last.state is State.FAILED and now - (last.ended or 0) >= pause:
        run = str(last.result.get("run", ""))
        return {"run": run} if run else {}
    return None


def _name(subject: Subject) -> str:
    return subject.user or f"the hub's {subject.kind.value}"
