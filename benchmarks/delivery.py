"""Delivery: Zulip's pace kept and used, what grouping saves, how soon a message is there, and what idling costs.

The first two play in simulated time: real messages over real HTTP to a Zulip that counts requests by the same
simulated clock, each request taking REQUEST_SECONDS of it. The last two are real time.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import Report, at_least, at_most, rounded
from benchmarks.world import (
    LIMIT_PER_MINUTE,
    PEOPLE,
    BenchmarkLMS,
    StoreKind,
    World,
    running_app,
    running_process,
    zulip_of_mentors,
)
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.watch.recorder import Recorder
from lms_bot.zulip.gateway import Pace
from lms_bot.zulip.outage import Outage

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.sandbox.zulip import SandboxMessage, SandboxPerson, SandboxZulip

DELIVERIES, DELIVERIES_SMOKE = 10_000, 150
REQUEST_SECONDS = 0.02
STUDENTS_EACH = 40

SAMPLES, SAMPLES_SMOKE = 100, 3
POLL_SECONDS, POLL_SECONDS_SMOKE = 1.0, 0.2
IDLE_SECONDS, IDLE_SECONDS_SMOKE = 30.0, 2.0
SETTLE_SECONDS = 3.0


class SimulatedClock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def run(world: World, kinds: list[StoreKind], smoke: bool) -> Report:
    deliveries = DELIVERIES_SMOKE if smoke else DELIVERIES
    report = Report("delivery", {"deliveries": deliveries, "people": PEOPLE, "requests_per_minute": LIMIT_PER_MINUTE})
    with world.new_lms() as lms:
        for kind in kinds:
            for name, group_seconds in (("ungrouped", 0.0), ("grouped", 30.0)):
                with world.new_store(kind) as store_url:
                    figures = _empty_outbox(lms, store_url, deliveries, group_seconds)
                report.figures[f"{kind}_{name}"] = figures
                report.targets.append(at_most(f"{kind} {name}, answers 429", figures["answers_429"], 0))
            if not smoke:  # a small outbox is empty before the first minute is over
                ratio = report.figures[f"{kind}_ungrouped"]["rate_used_ratio"]
                report.targets.append(at_least(f"{kind}, part of the allowed rate", ratio, 0.95))
        kind = kinds[0]
        with world.new_store(kind) as store_url:
            seconds = _latencies(lms, store_url, smoke)
        interval = POLL_SECONDS_SMOKE if smoke else POLL_SECONDS
        report.sizes |= {"samples": len(seconds), "poll_seconds": interval}
        p50, p99 = seconds[len(seconds) // 2], seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
        report.figures["row_to_message_p50_seconds"] = rounded(p50)
        report.figures["row_to_message_p99_seconds"] = rounded(p99)
        report.targets.append(at_most("row to message, p99 seconds", p99, interval + 0.25))
        with world.new_store(kind) as store_url:
            cpu = _idle_cpu(lms, store_url, world.folder, IDLE_SECONDS_SMOKE if smoke else IDLE_SECONDS)
        report.figures["idle_cpu_ratio"] = rounded(cpu)
        report.targets.append(at_most("part of a core when idle", cpu, 0.01))
    return report


def _empty_outbox(lms: BenchmarkLMS, store_url: str, deliveries: int, group_seconds: float) -> dict[str, float]:
    clock = SimulatedClock()
    with (
        zulip_of_mentors(clock) as (zulip, credentials, people),
        running_app(lms.url, store_url, credentials, lms_group_seconds=group_seconds) as app,
    ):
        assert app.gateway is not None
        app.gateway.pace, app.gateway.outage = Pace(now=clock), Outage(now=clock)
        _owe(app, people, deliveries, clock.now)
        began = clock.seconds
        while app.events.get_event_stats()["pending_events"]:
            _step_for(app, clock, until=clock.seconds + 60)
        last_sent = max(message.sent_at for message in zulip.messages())
        seconds = max(last_sent - began, REQUEST_SECONDS)
        answers = [request.status for request in zulip.requests]
        messages = len(zulip.messages())
        return {
            "messages": messages,
            "answers_429": answers.count(429),
            "simulated_seconds_to_empty": rounded(seconds),
            "rate_used_ratio": rounded(messages / (LIMIT_PER_MINUTE * max(seconds, 60) / 60)),
        }


def _step_for(app: App, clock: SimulatedClock, until: float) -> None:
    while clock.seconds < until:
        assert app.notifier is not None
        wait = app.notifier.step(clock.now)
        clock.seconds += REQUEST_SECONDS if wait == 0 else min(1.0, wait or 1.0)


def _owe(app: App, people: list[SandboxPerson], deliveries: int, now: datetime) -> None:
    """Exams passed by each mentor's students, one after the other, all at once."""
    recorder = Recorder(app.store)
    activities = [
        Activity(
            stream="attempts",
            row_key=str(number),
            event_type=ActivityType.EXAM_PASSED,
            student_id=number % (PEOPLE * STUDENTS_EACH),
            student_username=f"student{number % (PEOPLE * STUDENTS_EACH)}",
            student_display_name=None,
            activity_id=number,
            activity_title=f"Exam number {number % 20}",
            activity_metadata={"percentage": 50 + number % 50},
            happened_at=now - timedelta(seconds=number % 3600),
        )
        for number in range(deliveries)
    ]
    mentors = {
        student: Recipients((Owed(f"zulip:{person.user_id}", person.user_id),))
        for student in range(PEOPLE * STUDENTS_EACH)
        for person in [people[student % PEOPLE]]
    }
    with app.store.transaction():
        recorder.insert_events(activities, mentors, now=now, is_told=True)


def _latencies(lms: BenchmarkLMS, store_url: str, smoke: bool) -> list[float]:
    """Seconds from the commit in the LMS to Zulip's acceptance, sorted, over the whole of the poll's interval."""
    interval, samples = (POLL_SECONDS_SMOKE, SAMPLES_SMOKE) if smoke else (POLL_SECONDS, SAMPLES)
    settings = {"lms_activity_poll_interval": interval, "lms_group_seconds": 0}
    with (
        zulip_of_mentors() as (zulip, credentials, _),
        running_app(lms.url, store_url, credentials, **settings) as app,
    ):
        app.monitor.process_activities()
        app.start()
        time.sleep(interval)
        return sorted(_latency(lms, zulip, interval * number / samples) for number in range(samples))


def _latency(lms: BenchmarkLMS, zulip: SandboxZulip, pause: float) -> float:
    time.sleep(pause)
    seen = {message.id for message in zulip.messages()}

    def is_new(message: SandboxMessage) -> bool:
        return message.id not in seen

    lms.add_attempts(1)
    committed_at = time.time()
    return zulip.wait_for(is_new, timeout=60).sent_at - committed_at


def _idle_cpu(lms: BenchmarkLMS, store_url: str, folder: Path, seconds: float) -> float:
    """The part of a core a bot process takes that polls every second while nothing happens."""
    with (
        zulip_of_mentors() as (zulip, credentials, _),
        running_process(zulip, credentials, folder, LMS_DB_URL=lms.url, LMS_BOT_STORE=store_url) as bot,
    ):
        time.sleep(SETTLE_SECONDS)
        before, began = _cpu_seconds(bot.pid), time.perf_counter()
        time.sleep(seconds)
        return (_cpu_seconds(bot.pid) - before) / (time.perf_counter() - began)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads: proc(5), fields 14 and 15 of stat."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
