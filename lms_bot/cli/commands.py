"""`lms-bot` and `monitor_lms_activities`. What is heavy is imported when it is used."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lms_bot.cli.common import (
    Command,
    Group,
    Moment,
    Options,
    Seconds,
    common_options,
    ended_by_signals,
    log_level,
    pass_options,
)
from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import ConfigError, LMSBotError
from lms_bot.version import __version__

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.settings.settings import Settings
    from lms_bot.store.database import Store

logger = logging.getLogger(__name__)

SHORTEST_INTERVAL_SECONDS = 0.2
STATS = {
    "total_events": "Total Events",
    "processed_events": "Processed Events",
    "pending_events": "Pending Events",
    "events_with_notifications": "Events with Notifications",
    "events_with_errors": "Events with Errors",
}


@click.group("lms-bot", cls=Group, params=common_options())
@click.version_option(__version__)
def main() -> None:
    """Tells mentors in Zulip what their students do in the LMS.

    The bot itself is started by `zulip-run-bot lms_bot`. Settings are read from the environment, from .env
    and from the bot config file.
    """


@click.command("monitor_lms_activities", cls=Command)
@click.option(
    "--interval",
    type=Seconds(min=SHORTEST_INTERVAL_SECONDS),
    metavar="SECONDS",
    help="Between two polls, instead of LMS_ACTIVITY_POLL_INTERVAL.",
)
@click.option("--daemon", "is_daemon", is_flag=True, help="Say nothing of what is found, only what goes wrong.")
@click.option("--once", "is_once", is_flag=True, help="Poll once, tell whom it concerns, and end.")
@click.option("--process-pending", "is_mending", is_flag=True, help="Tell what is still owed, and end.")
@click.option("--stats", "is_counting", is_flag=True, help="Say how many events are stored, and end.")
@pass_options
def monitor_lms_activities(
    options: Options, interval: float | None, is_daemon: bool, is_once: bool, is_mending: bool, is_counting: bool
) -> None:
    """Watches the LMS until SIGINT or SIGTERM, as the bot does, and may do so beside the bot.

    Each poll with news is reported on stderr. With several of --once, --process-pending and --stats, they
    are done in this order.
    """
    is_endless = not (is_once or is_mending or is_counting)
    if is_daemon and not is_endless:
        raise click.UsageError("--daemon goes on for ever: not with --once, --process-pending or --stats.")
    with ended_by_signals(0 if is_endless else None):
        settings = _monitor_settings(options, interval, is_polling=is_endless or is_once)
        with options.open_app(settings) as app:
            if is_endless:
                _watch(app, is_daemon)
            if is_once:
                _poll_once(app)
            if is_mending:
                _process_pending(app)
            if is_counting:
                _show_stats(app)


main.add_command(monitor_lms_activities)


def _monitor_settings(options: Options, interval: float | None, is_polling: bool) -> Settings:
    settings = options.load_settings(require_lms=is_polling)
    if is_polling and not settings.lms_activity_monitor_enabled:
        raise ConfigError(["LMS_ACTIVITY_MONITOR_ENABLED is false: the LMS is not to be polled"])
    return settings if interval is None else settings.model_copy(update={"lms_activity_poll_interval": interval})


def _watch(app: App, is_daemon: bool) -> NoReturn:
    """The bot's own loop, until a signal ends it."""
    if not is_daemon:
        seconds = f"{app.settings.lms_activity_poll_interval:g}"
        told = "" if app.gateway else "; there is no zuliprc, so telling the mentors is left to the bot"
        click.echo(f"Watching the LMS every {seconds} seconds{told}. Ctrl-C ends it.")
    poll_news = min(logging.INFO, logging.getLogger("lms_bot").level)
    with log_level("lms_bot.watch.monitor", logging.NOTSET if is_daemon else poll_news):
        app.start()
        while True:
            threading.Event().wait()


def _poll_once(app: App) -> None:
    """Reports before it tells: that may take Zulip's time."""
    click.echo(f"{_count(app.monitor.process_activities(), 'event')} recorded")
    app.events.process_pending_events()


def _process_pending(app: App) -> None:
    if app.gateway is None:
        logger.warning("there is no zuliprc, so nobody can be told")
    click.echo(f"{_count(app.events.process_pending_events(), 'pending event')} processed")


def _show_stats(app: App) -> None:
    from lms_bot.insight.export import Wanted, count_echoes

    numbers = app.events.get_event_stats()
    for name, label in STATS.items():
        click.echo(f"{label}: {numbers[name]}")
    with app.store.session():
        _tell_of_echoes(count_echoes(Wanted()), "they are not counted")


@main.command()
@click.option("--since", type=Moment(), help="Only what happened then or later: 2026-01-15, 2026-01-15T14:30, 7d.")
@click.option("--until", type=Moment(), help="Only what happened before then.")
@click.option("--student", metavar="NAME_OR_ID", help="Only what this student did.")
@click.option("--type", "event_types", multiple=True, type=click.Choice([one.value for one in ActivityType]))
@click.option("--unprocessed", "is_unprocessed", is_flag=True, help="Only what no AI consumer has taken yet.")
@click.option("--mark", "is_marking", is_flag=True, help="With --unprocessed: what was printed counts as taken.")
@click.option("--echoes", "has_echoes", is_flag=True, help="Also contents that are exams, and say the same as these.")
@click.option("--jsonl", "is_jsonl", is_flag=True, help="One JSON object a line, with all columns.")
@pass_options
def events(options: Options, /, *, student: str | None, is_marking: bool, is_jsonl: bool, **which: Any) -> None:
    """Prints stored events by id, oldest recorded first. Asks neither the LMS nor Zulip."""
    from lms_bot.insight.export import TABLE_HEADER, Wanted, count_echoes, format_json, format_table_row, write_events
    from lms_bot.store.database import open_store

    if is_marking and not which["is_unprocessed"]:
        raise click.UsageError("--mark needs --unprocessed.")
    store = open_store(options.load_settings().store_url)
    try:
        with store.session():
            student_ids = () if student is None else (_find_student(store, student),)
            wanted = Wanted(student_ids=student_ids, **which)
            echoes = count_echoes(wanted)
        if is_jsonl:
            write_events(store, wanted, format_json, sys.stdout.buffer, is_marking)
        else:
            click.echo(TABLE_HEADER)
            write_events(store, wanted, format_table_row, sys.stdout.buffer, is_marking)
        _tell_of_echoes(echoes, "--echoes shows them")
    finally:
        store.close_thread()


def _tell_of_echoes(count: int, then: str) -> None:
    if count:
        click.echo(f"{_count(count, 'more event')} only repeat what an exam's event says; {then}.", err=True)


def _find_student(store: Store, said: str) -> int:
    """The id of the one student who may be meant, among those of whom an event is stored."""
    from lms_bot.chat.language.student_index import StudentIndex
    from lms_bot.insight.reports.students import get_students_with_events
    from lms_bot.lms.people import Student

    with store.session():
        stored = get_students_with_events()
    found = StudentIndex(
        Student(one.student_id, one.username or "", None, one.display_name, None, None) for one in stored
    ).find(said)
    if not found:
        raise LMSBotError(f"no event is stored of a student {said!r}")
    if len(found) > 1:
        listed = ", ".join(f"{one.username} (id {one.student_id})" for one in found[:10])
        raise LMSBotError(f"{said!r} may be {listed}{', …' * (len(found) > 10)}: give the username or the id")
    return found[0].student_id


@main.command()
@pass_options
def health(options: Options) -> None:
    """Prints the checks; exit code 0 if all is well, else 1."""
    with options.open_app(options.load_settings()) as app:
        checks = app.health.get_checks()
    for check in checks:
        click.echo(f"{'ok ' if check.is_ok else 'BAD'}  {check.name}: {check.text}")
    sys.exit(0 if all(check.is_ok for check in checks) else 1)


@main.command()
@click.argument("role")
def grants(role: str) -> None:
    """Prints the GRANT statements with which ROLE can read what the bot reads, and nothing else."""
    from lms_bot.lms.standard import grant_statements

    quoted = role.replace('"', '""')
    click.echo(grant_statements(f'"{quoted}"'))


@main.command()
@click.option("--since", type=Moment(), required=True, help="The day (or time) from which on to look back.")
@click.option("--until", type=Moment(), help="The day (or time) to stop before; without it, now.")
@click.option("--notify", is_flag=True, help="Tell mentors of it, too; the running bot does, in one message each.")
@pass_options
def backfill(options: Options, since: datetime, until: datetime | None, notify: bool) -> None:
    """Stores older events that the bot took as known: for history, and for AI. May be interrupted and repeated."""
    from lms_bot.core.clock import utc_now
    from lms_bot.watch.backfill import run_backfill

    until = until or utc_now()
    if until <= since:
        raise click.UsageError("--until must be later than --since.")
    with ended_by_signals(None), options.open_app(options.load_settings(require_lms=True)) as app:
        with click.progressbar(length=1000, label="Looking back", show_eta=True, file=sys.stderr) as bar:
            began = monotonic()

            def show(part: float, rows: int) -> None:
                bar.label = f"{rows / max(0.001, monotonic() - began):,.0f} rows/s"
                bar.update(int(part * 1000) - bar.pos)

            created = run_backfill(app.source, app.monitor, since, until, notify, show)
        click.echo(f"Stored {_count(created, 'event')}.")


@main.command()
@click.option("--seconds", type=Seconds(min=0, min_open=True), help="Play a script instead, for so long at most.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where the page is served, or the next free.")
def demo(seconds: float | None, port: int | None) -> None:
    """Opens a page to try the bot on, with an LMS and a Zulip of its own, and cleans up.

    The page is for this machine only; Ctrl-C ends it. With --seconds, a school day is played in the terminal.
    """
    try:
        from lms_bot.sandbox.demo import run_demo, run_page
        from lms_bot.sandbox.lms.postgres import find_binaries

        find_binaries()
    except (FileNotFoundError, ModuleNotFoundError) as error:
        raise LMSBotError("the demo needs more than is installed here: pip install lms-bot[demo]") from error
    if seconds is not None:
        sys.exit(run_demo(seconds))
    sys.exit(run_page() if port is None else run_page(ports=range(port, min(port + 100, 65536))))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
