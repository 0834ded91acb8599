"""`flask work`: converges what Stripe reported, sends mail, runs the timetable. Any number may run side by side.

A step that fails is logged by its class alone and tried again in the next round; the others go on. SIGTERM and SIGINT
let the current item finish. When each task last ran is kept in memory: a new worker, and --once, run all of them.
"""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import text

from membership import clock, mail
from membership.billing import checkout, converge, inbox, poll, turns
from membership.cli.command import Command
from membership.config import NO_HOOK, Settings, SettingsError
from membership.db import SchemaBehind, check_schema, db, writing
from membership.domain import (
    banners,
    donations,
    fundraisers,
    leaving,
    limits,
    memberships,
    outbox,
    signins,
    transfers,
)
from membership.mail import bounces

IDLE = 0.3  # seconds to sleep when there was nothing to do
FAILED = 1.0  # seconds to rest after a round in which something failed
AGAIN = timedelta(seconds=30)  # when a task that failed is tried again, if its turn is later
BATCH = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One line of the timetable. `commits` where the verb leaves committing to whoever calls it."""

    name: str
    every: timedelta
    run: Callable[[datetime], object]
    commits: bool = True


def timetable(settings: Settings) -> list[Task]:
    """What happens by itself, and how often."""
    poll_every = timedelta(seconds=settings.poll_seconds)
    return [
        Task("see whether the tables are this code's", timedelta(hours=1), _see_schema, commits=False),
        Task("mail links to whoever asked", timedelta(0), partial(_mail_links, settings), commits=False),
        Task("ask for missed events", poll_every, poll.poll, commits=False),
        Task(
            "ask again what Stripe left unanswered",
            timedelta(seconds=30),
            checkout.resume_calls,
            commits=False,
        ),
        Task("announce renewals", timedelta(hours=1), converge.announce_renewals, commits=False),
        Task("look again at what waits too long", timedelta(hours=1), poll.sweep, commits=False),
        Task("end gifts whose fundraiser has ended", timedelta(hours=1), checkout.stop_closed, commits=False),
        Task(
            "end second memberships that nobody kept", timedelta(hours=1), checkout.end_doubles, commits=False
        ),
        Task(
            "end memberships given until a day",
            timedelta(hours=1),
            partial(_lapse, settings),
            commits=False,
        ),
        Task("count members", timedelta(hours=1), banners.count),
        Task("publish sums", timedelta(minutes=5), fundraisers.publish_due),
        Task("forget pledges that came to nothing", timedelta(hours=1), donations.purge_stale),
        Task("forget joinings that came to nothing", timedelta(hours=1), memberships.purge_unpaid),
        Task("forget sign-ins and sessions that are over", timedelta(hours=1), signins.sweep),
        Task("forget transfers that never came", timedelta(hours=1), transfers.purge_stale),
        Task("forget dead mails", timedelta(hours=1), outbox.sweep),
        Task("forget counts", timedelta(hours=1), limits.sweep),
        *_returned_mail(settings),
    ]


def _returned_mail(settings: Settings) -> list[Task]:
    url = settings.bounce_mailbox
    if url is None:
        return []
    read = partial(_read_returned, url)
    return [Task("read mail that came back", timedelta(minutes=10), read, commits=False)]


def _read_returned(url: str, now: datetime) -> None:
    bounces.read(url, now)


def _reach() -> int:
    db.session.execute(text("SELECT 1"))
    return 0


def _see_schema(_now: datetime) -> None:
    """A worker on older tables would fail at everything: it says so and ends before it touches anything."""
    try:
        check_schema()
    except SchemaBehind as behind:
        raise SystemExit(str(behind)) from None


def _mail_links(settings: Settings, now: datetime) -> None:
    """Looked for in every round, since somebody sits and waits; nothing is locked while nobody does."""
    for asked in (signins, leaving):
        waits = asked.is_waiting()
        db.session.rollback()
        if waits:
            with writing():
                asked.dispatch(settings, now)
                db.session.commit()


def _lapse(settings: Settings, now: datetime) -> None:
    """One by one, so that one which cannot be ended keeps nobody else, and no two workers wait for each other."""

    def end(membership_id: int) -> None:
        with writing():
            memberships.lapse(memberships.membership_of(membership_id), settings=settings, now=now)
            db.session.commit()

    over = memberships.given_over(now)
    db.session.rollback()
    turns.each("membership", over, end)


@dataclass
class Worker:
    """One worker's rounds; `stop` ends it after the current item."""

    tasks: list[Task]
    stop: threading.Event = field(default_factory=threading.Event)
    last: dict[str, datetime] = field(default_factory=dict)
    failed: bool = False

    def round(self) -> int:
        """Everything that is due, once; nothing is tried, and one line is logged, while the database is away.

        Returns how many items were done.
        """
        self.failed = False
        if self._step("reaching the database", _reach) is None:
            return 0
        self._step("timetable", self._timetable)
        worked = self._step("inbox", self._inbox)
        sent = self._step("mail", lambda: mail.deliver(BATCH, until=self.stop.is_set))
        return (worked or 0) + (sent or 0)

    def run(self) -> None:
        """Round after round until told to stop."""
        while not self.stop.is_set():
            done = self.round()
            if self.failed:
                self.stop.wait(FAILED)
            elif not done:
                self.stop.wait(IDLE)

    def once(self) -> bool:
        """Rounds until nothing is left to do; False when something failed on the way."""
        well = True
        while self.round() and not self.stop.is_set():
            well = well and not self.failed
        return well and not self.failed

    def _inbox(self) -> int:
        """Object by object, so that a signal waits for one only."""
        return inbox.work(BATCH, until=self.stop.is_set)

    def _timetable(self) -> int:
        for task in self.tasks:
            now = clock.now()
            last = self.last.get(task.name)
            if self.stop.is_set() or (last is not None and timedelta(0) <= now - last < task.every):
                continue
            self.last[task.name] = now
            if self._step(task.name, partial(_run, task, now)) is None:
                self.last[task.name] -= max(task.every - AGAIN, timedelta(0))
        return 0

    def _step(self, name: str, step: Callable[[], int]) -> int | None:
        """What the step did; None when it failed."""
        if self.stop.is_set():
            return 0
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - one step's failure must not stop the others
            db.session.rollback()
            self.failed = True
            log.error("%s failed: %s", name, type(error).__name__)  # noqa: TRY400 - a traceback may carry personal data
            return None
        finally:
            db.session.remove()


def _run(task: Task, now: datetime) -> int:
    if task.commits:
        with writing():
            task.run(now)
            db.session.commit()
    else:
        task.run(now)
    return 0


@click.command("work", cls=Command)
@click.option("--once", is_flag=True, help="Do everything that is due, then end.")
@with_appcontext
def work(*, once: bool) -> None:
    """Converge what Stripe reported, send mail, run the timetable; Ctrl-C ends it after the current item."""
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.stripe_webhook_secrets:
        raise SettingsError([NO_HOOK])
    worker = Worker(timetable(settings))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop.set())
    if not once:
        worker.run()
    elif not worker.once():
        raise SystemExit(1)
