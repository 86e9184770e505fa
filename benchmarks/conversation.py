"""How soon people are answered over HTTP by a bot that idles, and how soon what waits goes out after an outage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.measuring import Report, at_most, doing, rounded
from benchmarks.world import StoreKind, World, running_app, running_process, zulip_of_mentors
from lms_bot.core.clock import utc_now
from lms_bot.outbox.draft import Draft
from lms_bot.store.messages import Lane

if TYPE_CHECKING:
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip
    from lms_bot.zulip.credentials import Credentials

QUESTIONS, QUESTIONS_SMOKE = 100, 2
OUTAGE_SECONDS, OUTAGE_SECONDS_SMOKE = 40.0, 2.0
PAUSE_SECONDS = 0.4  # so that what Zulip allows a minute plays no part
WAITING = 10  # of each: answers and news
PATIENCE_SECONDS = 120.0


def run(world: World, stores: list[StoreKind], smoke: bool) -> Report:
    questions = QUESTIONS_SMOKE if smoke else QUESTIONS
    outage_seconds = OUTAGE_SECONDS_SMOKE if smoke else OUTAGE_SECONDS
    report = Report(
        "conversation", {"questions": questions, "outage_seconds": outage_seconds, "waiting": 2 * WAITING}
    )
    for kind in stores:
        doing(f"conversation, {kind}: {questions} questions")
        with (
            world.new_lms() as lms,
            world.new_store(kind) as store_url,
            zulip_of_mentors() as (zulip, credentials, people),
        ):
            bot = next(one for one in zulip.realm.people.values() if one.is_bot)
            with running_process(zulip, credentials, world.folder, LMS_DB_URL=lms.url, LMS_BOT_STORE=store_url):
                _ask(zulip, bot, people[0])
                seconds = sorted(_ask(zulip, bot, people[number % len(people)]) for number in range(questions))
            p50, p95 = seconds[len(seconds) // 2], seconds[int(0.95 * (len(seconds) - 1))]
            doing(f"conversation, {kind}: an outage of {outage_seconds:g} s")
            after = _end_outage(zulip, credentials, bot, people[:WAITING], lms.url, store_url, outage_seconds)
        report.figures[kind] = {
            "question_to_answer_p50_milliseconds": rounded(1000 * p50),
            "question_to_answer_p95_milliseconds": rounded(1000 * p95),
            "first_request_that_works_to_last_message_seconds": rounded(after),
        }
        report.targets.append(at_most(f"{kind}: after an outage, seconds until all is told", after, 5))
    return report


def _ask(zulip: SandboxZulip, bot: SandboxPerson, person: SandboxPerson) -> float:
    """Seconds from the question to Zulip's acceptance of the answer. Nobody asks faster than a person."""
    time.sleep(PAUSE_SECONDS)
    asked = time.time()
    question = zulip.send(person, bot, "help")
    answer = zulip.wait_for(lambda one: one.id > question and one.sender_id == bot.user_id, timeout=60)
    return answer.sent_at - asked


def _end_outage(
    zulip: SandboxZulip,
    credentials: Credentials,
    bot: SandboxPerson,
    people: list[SandboxPerson],
    lms_url: str,
    store_url: str,
    seconds: float,
) -> float:
    """Seconds from the first request that Zulip answered after the outage to the last message that had waited."""
    with running_app(lms_url, store_url, credentials, lms_activity_monitor_enabled=False) as app:
        app.start(is_answering=True)
        time.sleep(2)
        before = len(zulip.messages(sender=bot))
        zulip.stop()
        with app.store.transaction():
            for person in people:
                for lane in (Lane.ANSWERS, Lane.ROUTINE):
                    app.outbox.write(Draft(person.user_id, f"hello, lane {lane}", lane), utc_now())
        app.outbox.wake()
        time.sleep(seconds)
        back_at = time.time()
        zulip.start()
        give_up_at = time.time() + PATIENCE_SECONDS
        while len(zulip.messages(sender=bot)) < before + 2 * WAITING and time.time() < give_up_at:
            time.sleep(0.05)
        first = min(one.at for one in zulip.requests if one.at > back_at and one.status == 200)
        return max(one.sent_at for one in zulip.messages(sender=bot)[before:]) - first
