"""A result that the LMS turns after it was told is told anew, to those who were told; a score that moves is not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timezone

import pytest

from lms_bot.core.clock import utc_now
from lms_bot.notify.wording import MOST_CORRECTIONS
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.sandbox.lms.school import School
from lms_bot.store.counters import Counters
from lms_bot.store.messages import Delivery, DeliveryState, Message, MessageState
from tests.worlds.watching import Watching, add_attempts, failed, passed, run

ANNA, BEN = 9, 10
_numbers = iter(range(1000, 10_000_000))


class Telling(Watching):
    """As it is told: to those in `mentors`, whose messages are sent at once."""

    mentors: Collection[int] = (ANNA,)

    def find_recipients(self, student_ids: Collection[int]) -> dict[int, Recipients]:
        owed = tuple(Owed(f"zulip:{person}", person) for person in self.mentors)
        return dict.fromkeys(student_ids, Recipients(owed))

    def tell(self) -> list[tuple[int, str]]:
        """What is told now: to whom, and the news of it without the number of the event."""
        self.app.composer.hurry()
        while self.app.composer.write_messages(utc_now()):
            self.app.composer.hurry()
        with self.app.store.session():
            unsent = list(Message.select().where(Message.state == MessageState.READY).order_by(Message.message_id))
        for message in unsent:
            self.app.outbox.mark_sent(message, next(_numbers), utc_now())
        return [(one.zulip_user_id, one.content) for one in unsent]

    def fail_to_tell(self) -> None:
        """What is told now is written, and given up."""
        self.app.composer.hurry()
        self.app.composer.write_messages(utc_now())
        with self.app.store.session():
            message = Message.get(Message.state == MessageState.READY)
        self.app.outbox.mark_dead(message, "deactivated", utc_now())

    def said(self) -> list[str]:
        """The line that says what happened, of each message now told."""
        return [content.split("\n")[2] for _, content in self.tell()]


@pytest.fixture
def watching(school: School, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Telling]:
    one = Telling(school.url, store_url)
    one.replace_parts(monkeypatch, find_recipients=one.find_recipients)
    one.poll()
    yield one
    one.close()


def grade(school: School, result: str, percentage: int | None, row_id: int = 1) -> None:
    run(school, "UPDATE attempts SET result = %s, percentage = %s WHERE id = %s", result, percentage, row_id)


def add(school: School, first: int, last: int, result: str, percentage: int) -> None:
    add_attempts(school, first, last, result=result, date=datetime.now(timezone.utc))
    run(school, "UPDATE attempts SET percentage = %s WHERE id BETWEEN %s AND %s", percentage, first, last)


def test_a_failed_exam_that_became_passed_is_told_as_that(school: School, watching: Telling) -> None:
    add(school, 1, 1, "fail", 30)
    assert watching.poll() == failed(1)
    assert watching.said() == ["**one** did not pass: **Maths**"]
    grade(school, "pass", 75)
    assert watching.poll() == passed(1)
    ((person, content),) = watching.tell()
    assert person == ANNA
    assert content.startswith("🎉 **Result Corrected**\n\n**one**: **Maths** is now passed 75% (was failed 30%)\n")


def test_a_result_may_turn_again_and_again_and_the_last_one_is_told_each_time(
    school: School, watching: Telling
) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    watching.tell()
    for result, percentage, expected in (
        ("fail", 30, "now failed 30% (was passed 70%)"),
        ("pass", 75, "now passed 75% (was failed 30%)"),
        ("fail", 20, "now failed 20% (was passed 75%)"),
        ("pass", None, "now passed (was failed 20%)"),
    ):
        grade(school, result, percentage)
        watching.poll()
        assert watching.said() == [f"**one**: **Maths** is {expected}"]
    assert watching.tell() == []
    assert watching.events() == passed(1) | failed(1)
    with watching.app.store.session():
        Counters(watching.app.store).catch_up()
        assert Counters(watching.app.store).get_totals() == (2, 2)


def test_a_score_that_only_moves_is_not_told(school: School, watching: Telling) -> None:
    add(school, 1, 1, "pass", 60)
    watching.poll()
    watching.tell()
    grade(school, "pass", 85)
    assert watching.poll() == set()
    assert watching.tell() == []
    assert [one.percentage for one in watching.attempts()] == [85.0]


def test_a_result_that_turned_before_it_was_told_is_told_once_as_it_is_now(school: School, watching: Telling) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    watching.tell()
    grade(school, "fail", 30)
    watching.poll()
    grade(school, "pass", 75)
    watching.poll()
    assert watching.said() == ["**one**: **Maths** is now passed 75% (was failed 30%)"]


def test_of_a_result_that_was_turned_twice_while_news_waited_only_the_last_is_told(
    school: School, watching: Telling
) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    for result, percentage in (("fail", 30), ("pass", 75), ("fail", 40), ("pass", 80)):
        grade(school, result, percentage)
        watching.poll()
    assert watching.said() == ["**one**: **Maths** is now passed 80% (was failed 40%)"]
    assert watching.tell() == []


def test_who_was_not_told_of_the_former_result_is_not_told_of_its_return(school: School, watching: Telling) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    watching.tell()
    grade(school, "fail", 30)
    watching.poll()
    watching.tell()
    watching.mentors = (ANNA, BEN)
    grade(school, "pass", 75)
    watching.poll()
    assert [person for person, _ in watching.tell()] == [ANNA]


def test_who_is_no_mentor_any_more_is_not_told(school: School, watching: Telling) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    grade(school, "fail", 30)
    watching.poll()
    watching.tell()
    watching.mentors = (BEN,)
    grade(school, "pass", 75)
    watching.poll()
    assert watching.tell() == []


def test_a_result_of_before_the_bot_that_turns_is_news_and_its_return_is_told_to_who_heard_that(
    school: School, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(school, 1, 1, "pass", 70)
    watching = Telling(school.url, store_url)
    watching.replace_parts(monkeypatch, find_recipients=watching.find_recipients)
    watching.poll()
    grade(school, "fail", 30)
    assert watching.poll() == failed(1)
    assert watching.said() == ["**one**: **Maths** is now failed 30% (was passed 70%)"]
    grade(school, "pass", 75)
    assert watching.poll() == set()
    assert watching.said() == ["**one**: **Maths** is now passed 75% (was failed 30%)"]
    watching.close()


def test_a_result_that_comes_late_is_no_correction(school: School, watching: Telling) -> None:
    add(school, 1, 1, "", 70)
    watching.poll()
    watching.tell()
    grade(school, "pass", 70)
    watching.poll()
    assert watching.said() == ["**one** has passed: **Maths**"]


def test_a_storm_of_corrections_is_one_line_of_a_gathered_message(school: School, watching: Telling) -> None:
    add(school, 1, 300, "fail", 30)
    watching.poll()
    watching.tell()
    run(school, "UPDATE attempts SET result = 'pass', percentage = 75")
    add(school, 301, 302, "fail", 10)
    watching.poll()
    ((_, content),) = watching.tell()
    first, *rest = content.split("\n")
    assert first == "✏️ **300 results of 1 student were corrected**: 🎉 300 now passed"
    assert len(rest) < 10 and "2 updates on one" in content
    with watching.app.store.session():
        sent = Delivery.select().where(Delivery.state == DeliveryState.SENT).count()
    assert sent == 602


def test_a_few_corrections_are_told_one_by_one(school: School, watching: Telling) -> None:
    add(school, 1, MOST_CORRECTIONS, "fail", 30)
    watching.poll()
    watching.tell()
    run(school, "UPDATE attempts SET result = 'pass', percentage = 75")
    watching.poll()
    ((_, content),) = watching.tell()
    assert f"now 🎉\u00a075% (was ❌\u00a030%) \u00d7{MOST_CORRECTIONS}" in content


def test_a_retry_of_what_was_corrected_meanwhile_tells_what_is_true_now_and_once(
    school: School, watching: Telling
) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    watching.tell()
    grade(school, "fail", 30)
    watching.poll()
    watching.fail_to_tell()
    grade(school, "pass", 75)
    watching.poll()
    watching.app.events.retry()
    assert watching.said() == ["**one**: **Maths** is now passed 75% (was failed 30%)"]
    watching.app.events.retry()
    assert watching.tell() == []


def test_a_result_that_was_taken_away_while_it_was_regraded_has_turned_all_the_same(
    school: School, watching: Telling
) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    watching.tell()
    said = []
    for result, percentage in (("", None), ("fail", 30), ("", None), ("pass", 75)):
        grade(school, result, percentage)
        watching.poll()
        said += watching.said()
    assert said == [
        "**one** has completed the exam: **Maths**",
        "**one**: **Maths** is now failed 30% (was passed 70%)",
        "**one**: **Maths** is now passed 75% (was failed 30%)",
    ]


def test_who_wants_no_news_of_passed_exams_hears_that_a_failure_no_longer_holds(
    school: School, watching: Telling
) -> None:
    with watching.app.store.transaction():
        watching.app.preferences.change(ANNA, notify={"exam_passed": "off"})
    add(school, 1, 1, "fail", 30)
    watching.poll()
    watching.tell()
    grade(school, "pass", 90)
    watching.poll()
    assert watching.said() == ["**one**: **Maths** is now passed 90% (was failed 30%)"]
    add(school, 2, 2, "pass", 90)
    watching.poll()
    assert watching.tell() == []


def test_a_retry_after_the_correction_was_told_does_not_tell_it_again(school: School, watching: Telling) -> None:
    add(school, 1, 1, "pass", 70)
    watching.poll()
    watching.tell()
    grade(school, "fail", 30)
    watching.poll()
    watching.fail_to_tell()
    grade(school, "pass", 75)
    watching.poll()
    assert len(watching.tell()) == 1
    watching.app.events.retry()
    assert watching.tell() == []
