"""People ask the running bot over HTTP: mentors, an admin, strangers; alone, in a channel and in a group."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from zulip_bots import test_lib

from lms_bot.bot import LMSBotHandler
from lms_bot.chat.inbox import POINTER
from lms_bot.chat.respond import REFUSAL
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.zulip import Fault, SandboxZulip
from tests.worlds.running_bot import Town, wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

STARTED = "📝 **Student Activity Alert**"
UNKNOWN_STUDENT = "You have no student of that name. `students` shows yours."
FOR_MENTORS = ("help", "stats", "summary today", "history john_doe", "students", "status")
FOR_ADMINS = ("stats all", "summary week all", "errors", "pending", "health", "unmapped", "poll now", "retry all")
SECRETS = ("john_doe", "zoe_m", "Zoë", "Maths", "anna", "carla", "dora")
"""What no channel may learn."""


@pytest.fixture(scope="module")
def town(postgres: EmbeddedPostgres, lms_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """john_doe passed and failed an exam, zoe_m watched a film; dora mentors tom, and Zulip does not know her."""
    url = postgres.create_database("asking", lms_template)
    with School(url) as lms, SandboxZulip(requests_per_minute=100_000) as zulip:
        town = Town(lms, zulip, tmp_path_factory.mktemp("asking"))
        town.tom = lms.add_student("tom", mentors=[lms.add_mentor("dora", email="dora@elsewhere.example.com")])  # type: ignore[attr-defined]
        lms.add_student("guests_pupil", mentors=[lms.add_mentor("gus"), lms.add_mentor("robot")])
        town.add_person("gus", role=600)
        town.add_person("robot", is_bot=True)
        course = lms.add_course("Biology")
        lms.add_content("Cells", course=course)
        zulip.add_stream("school", [*town.people.values(), town.bot])
        with town.run_bot():
            town.wait_for_polls(1)
            lms.finish_exam(lms.start_exam("john_doe", town.exam), "pass", percentage=85)
            lms.finish_exam(lms.start_exam("john_doe", lms.add_exam("History of Art")), "fail", percentage=35)
            lms.watch_content("zoe_m", "Cells")
            lms.start_exam("tom", town.exam)
            lms.start_exam("john_doe", town.exam, state="teleported")
            town.wait_until_settled()
            yield town
    postgres.drop_database("asking")


def ask_in_channel(town: Town, name: str, question: str) -> str:
    """What the channel is told."""
    place = ("school", "questions")
    said = len(town.zulip.messages(sender=town.bot, to=place))
    town.zulip.send(town.people[name], place, f"@**LMS bot** {question}")
    wait_until(lambda: len(town.zulip.messages(sender=town.bot, to=place)) > said, f"an answer to {question!r}")
    return town.zulip.messages(sender=town.bot, to=place)[said].content


# ---- mentors ----


def test_a_mentor_is_shown_what_she_may_ask_and_no_more(town: Town) -> None:
    answer = town.ask("anna", "help all")
    for command in ("help", "stats", "summary", "history", "students", "status"):
        assert f"- `{command}" in answer
    for command in ("stats all", "errors", "pending", "retry", "health", "poll now", "unmapped"):
        assert command not in answer


def test_a_mentors_stats_count_her_students_only(town: Town) -> None:
    assert "| 🎉 Exams passed | 1 | 1 (▲ 1) |" in town.ask("anna", "stats")
    assert "| **All** | 2 | 2 (▲ 2) |" in town.ask("anna", "STATS")
    assert "| 👀 Contents viewed | 1 | 1 (▲ 1) |" in town.ask("carla", "stats")
    assert "Exams" not in town.ask("carla", "stats")


@pytest.mark.parametrize("period", ["", "today", "week", "month", "last hour", "3 days", "in the last 2 days"])
def test_a_mentors_summary_is_of_her_students_only(town: Town, period: str) -> None:
    answer = town.ask("anna", f"summary {period}")
    assert "| john_doe | ❌ 1 🎉 1 |" in answer
    assert "zoe" not in answer
    assert "| Zoë Müller |" in town.ask("carla", f"summary {period}")


def test_yesterday_nothing_happened(town: Town) -> None:
    assert "No activity." in town.ask("anna", "summary yesterday")


def test_a_mentor_reads_a_students_history(town: Town) -> None:
    answer = town.ask("anna", "history john_doe")
    assert "**john_doe** · all that is known · 2 events" in answer
    assert "🎉 passed: Maths 85% |" in answer
    assert "❌ did not pass: History of Art 35% |" in answer
    assert "2 events" in town.ask("anna", "History JOHN_DOE 7 days")
    assert "👀 watched: Cells" in town.ask("carla", "history zoë müller")


def test_a_mentor_sees_her_students(town: Town) -> None:
    answer = town.ask("bob", "students")
    assert "**Your 1 student**" in answer
    assert "| ❌ john_doe | ❌ 35% History of Art |" in answer
    assert "zoe" not in answer


def test_a_mentor_sees_whether_the_bot_watches(town: Town) -> None:
    assert "👁️ I am watching the LMS" in town.ask("anna", "status")


@pytest.mark.parametrize("command", FOR_ADMINS)
def test_what_is_for_admins_is_refused_to_a_mentor(town: Town, command: str) -> None:
    answer = town.ask("anna", command)
    assert "zoe" not in answer
    assert "tom" not in answer
    if not command.startswith("summary"):
        assert "is for admins only" in answer


@pytest.mark.parametrize("typo", ["histroy john_doe", "sumary", "studnts", "stauts", "hlep"])
def test_a_typo_is_answered_as_it_was_meant_or_asked_back(town: Town, typo: str) -> None:
    answer = town.ask("anna", typo)
    assert "Did you mean `" in answer or answer.startswith(("↳ `", "**john_doe**"))


def test_a_mentor_is_not_asked_whether_she_means_an_admins_command(town: Town) -> None:
    answer = town.ask("anna", "heatlh")
    assert "I do not know that command." in answer
    assert "health" not in answer


@pytest.mark.parametrize("question", ["history", "history john_doe blah", "summary blah", "summary -1 days"])
def test_wrong_arguments_are_answered_with_the_usage(town: Town, question: str) -> None:
    assert "Usage: `" in town.ask("anna", question)


@pytest.mark.parametrize("said", ["zoe_m", "ZOE_M", "Zoë", "Zoë Müller", "zoe_m 7 days", "ID"])
def test_another_mentors_student_is_answered_as_one_that_does_not_exist(town: Town, said: str) -> None:
    said = str(town.zoe) if said == "ID" else said
    nonexistent = said.replace("zoe", "xyz").replace("ZOE", "XYZ").replace("Zoë", "Xyz").replace(str(town.zoe), "987")
    assert town.ask("anna", f"history {said}") == town.ask("anna", f"history {nonexistent}") == UNKNOWN_STUDENT


def test_a_student_taken_from_a_mentor_is_hers_no_longer(town: Town) -> None:
    """Asked first after the change: what she was told before may be kept for a minute."""
    town.add_person("erik")
    town.lms.add_mentor("erik")
    assert "You can ask me" in town.ask("ada", "help")
    town.lms.pair("erik", "zoe_m")
    town.lms.unpair("erik", "zoe_m")
    answer = town.ask("erik", "history zoe_m")
    assert "Cells" not in answer


# ---- admins ----


def test_an_admin_is_shown_what_admins_may_ask(town: Town) -> None:
    answer = town.ask("ada", "help all")
    for command in (
        "stats all",
        "summary",
        "history",
        "errors",
        "pending",
        "retry",
        "health",
        "poll now",
        "unmapped",
    ):
        assert f"- `{command}" in answer


def test_an_admin_sees_the_counts_of_all(town: Town) -> None:
    answer = town.ask("ada", "stats all")
    assert "| Total events | 4 |" in answer
    assert "| Processed events | 4 |" in answer
    assert "| Pending events | 0 |" in answer
    assert "| Events with notifications | 3 |" in answer
    assert "| Events with errors | 1 |" in answer
    assert "| Total students | 4 |" in answer
    assert "| Total mentors | " in answer
    assert town.ask("ada", "stats") == answer


@pytest.mark.parametrize("question", ["summary all", "summary today all", "summary all week", "summary"])
def test_an_admins_summary_is_of_everybody(town: Town, question: str) -> None:
    answer = town.ask("ada", question)
    assert "| john_doe |" in answer
    assert "| Zoë Müller |" in answer


def test_an_admin_reads_anybodys_history(town: Town) -> None:
    assert "watched: Cells" in town.ask("ada", "history zoe_m")
    assert "passed: Maths" in town.ask("ada", f"history {town.john}")


def test_an_admin_sees_what_could_not_be_told_or_read(town: Town) -> None:
    answer = town.ask("ada", "errors")
    assert "**Not told** · 1 event" in answer
    assert "no Zulip user has the e-mail address of mentor dora" in answer
    assert "unknown state" in answer
    assert "teleported" in answer


def test_an_admin_sees_what_waits_and_for_whom(town: Town) -> None:
    assert "- **mentor dora** · 1 since" in town.ask("ada", "pending")


def test_an_admin_sees_who_is_not_known_in_zulip(town: Town) -> None:
    answer = town.ask("ada", "unmapped")
    assert "- **dora** · dora" in answer
    assert "anna" not in answer


def test_an_admin_sees_how_everything_is(town: Town) -> None:
    answer = town.ask("ada", "health")
    for name in ("store", "LMS", "Zulip"):
        assert f"✅ **{name}**: answers" in answer
    assert "dead deliveries" in answer and "1 unknown state" in answer
    assert town.lms.url not in answer


def test_an_admin_can_look_into_the_lms_at_once(town: Town) -> None:
    assert "I looked into the LMS: 0 new events." in town.ask("ada", "poll now")


def test_retrying_what_cannot_succeed_yet_says_so_and_tells_nobody(town: Town) -> None:
    told = {name: len(town.told(name)) for name in ("anna", "bob", "carla")}
    assert "Nothing has failed" in town.ask("ada", "retry all") or "0" not in town.ask("ada", "retry")
    assert "Nothing failed with `#1`." in town.ask("ada", "retry 1")
    assert "There is no event `#999`." in town.ask("ada", "retry #999")
    assert "Usage: `retry" in town.ask("ada", "retry whatever")
    assert "Shall I do this? `retry all`" in town.ask("ada", "retry everything")
    assert told == {name: len(town.told(name)) for name in told}


# ---- everybody else ----


@pytest.mark.parametrize("name", ["sven", "gus"])
@pytest.mark.parametrize("question", [*FOR_MENTORS, *FOR_ADMINS, "hello", "", "history zoe_m", "history 1"])
def test_strangers_and_guests_are_told_nothing(town: Town, name: str, question: str) -> None:
    assert town.ask(name, question or "?") == REFUSAL


def test_another_bot_is_not_answered_even_if_it_has_a_mentors_address(town: Town) -> None:
    """Two bots that answer each other would never end."""
    town.zulip.send(town.people["robot"], town.bot, "students")
    town.ask("ada", "status")  # by then the bot has seen what was written before
    assert town.told("robot") == []


# ---- in channels and groups ----


@pytest.mark.parametrize(
    "question", [*FOR_MENTORS, "history zoe_m", "history", "students zoe_m", "john_doe", "histroy"]
)
@pytest.mark.parametrize("name", ["anna", "ada", "sven", "gus"])
def test_a_channel_is_never_told_a_name(town: Town, name: str, question: str) -> None:
    in_channel = ask_in_channel(town, name, question)
    assert [secret for secret in SECRETS if secret in in_channel] == []


@pytest.mark.parametrize("question", FOR_ADMINS)
@pytest.mark.parametrize("name", ["anna", "ada"])
def test_a_channel_is_never_told_what_is_for_admins(town: Town, name: str, question: str) -> None:
    in_channel = ask_in_channel(town, name, question)
    assert [secret for secret in SECRETS if secret in in_channel] == []
    assert in_channel == POINTER or "is for admins only" in in_channel


@pytest.mark.parametrize("question", ["stats", "summary", "history john_doe", "students", "history zoe_m"])
def test_asked_in_a_channel_the_answer_comes_in_a_direct_message(town: Town, question: str) -> None:
    alone = town.ask("anna", question)
    assert ask_in_channel(town, "anna", question) == POINTER
    wait_until(lambda: town.told("anna")[-1] == alone, "the same answer, to her alone")


def test_asked_in_a_group_the_answer_comes_in_a_direct_message(town: Town) -> None:
    group = [town.people["carla"], town.bot]
    town.zulip.send(town.people["anna"], group, "@**LMS bot** students")
    everybody = [town.people["anna"], town.people["carla"]]
    wait_until(lambda: town.zulip.messages(sender=town.bot, to=everybody), "an answer to the group")
    assert [one.content for one in town.zulip.messages(sender=town.bot, to=everybody)] == [POINTER]
    wait_until(lambda: "john_doe" in town.told("anna")[-1], "the answer to herself")


def test_what_is_said_in_a_channel_without_a_mention_is_not_answered(town: Town) -> None:
    place = ("school", "chat")
    town.zulip.send(town.people["anna"], place, "students")
    town.zulip.send(town.people["anna"], place, "nice, isn't it, @**LMS bot**?")
    town.ask("ada", "status")
    assert town.zulip.messages(sender=town.bot, to=place) == []


# ---- trouble ----


def test_thirty_questions_at_once_are_all_answered(town: Town) -> None:
    """The framework ends a bot that sends more than 20 messages in five seconds."""
    said = len(town.told("bob"))
    for _ in range(30):
        town.zulip.send(town.people["bob"], town.bot, "status")
    wait_until(lambda: len(town.told("bob")) == said + 30, "thirty answers")


@pytest.mark.parametrize("kind", ["answer_lost", "error_before", "rate_limited"])
def test_an_answer_comes_once_whatever_happens_to_it(town: Town, kind: str) -> None:
    said = len(town.told("bob"))
    town.ask("bob", "students")  # the same words, shortly before
    said += 1
    town.zulip.faults.add(Fault(kind, seconds=0.1, user_id=town.bot.user_id))
    town.zulip.send(town.people["bob"], town.bot, "students")
    wait_until(lambda: len(town.told("bob")) > said and not town.zulip.faults.get_all(), "an answer")
    town.ask("ada", "status")
    assert len(town.told("bob")) == said + 1


def test_when_its_event_queue_is_lost_it_makes_a_new_one_and_answers(town: Town) -> None:
    town.zulip.drop_queues()
    registered = len([one for one in town.zulip.requests if one.path.endswith("/register")])
    town.zulip.send(town.people["bob"], ("school", "nothing"), "wake up")
    wait_until(
        lambda: len([one for one in town.zulip.requests if one.path.endswith("/register")]) > registered,
        "a new queue",
    )
    assert "john_doe" in town.ask("bob", "students")


@pytest.mark.parametrize(
    "text",
    ["\x07", "🎉" * 3000, "@**all** `stats`", "history " + "x" * 9000, "retry " + "9" * 50, "summary 9999999 days"],
)
def test_nothing_that_can_be_typed_ends_the_bot(town: Town, text: str) -> None:
    answer = town.ask("ada", text)
    assert "Something went wrong" not in answer
    assert len(answer) <= 10_000


def test_what_failed_is_told_once_when_an_admin_retries_it(
    new_lms: Callable[[], School], zulip: SandboxZulip, tmp_path: Path, store_url: str
) -> None:
    town = Town(new_lms(), zulip, tmp_path, store_url)
    zulip.deactivate(town.people["bob"])
    with town.run_bot():
        town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        assert "no longer using Zulip" in town.ask("ada", "errors")
        assert "| Events with errors | 1 |" in town.ask("ada", "stats all")
        assert "❌ **dead deliveries**: 1 given up" in town.ask("ada", "health")
        zulip.reactivate(town.people["bob"])
        assert town.ask("ada", "retry") == "🔁 1 event will be sent again."
        town.wait_until_told("bob", STARTED)
        town.wait_until_settled()
        assert "Nothing has failed" in town.ask("ada", "retry all")
        assert town.ask("ada", "retry #1") == "Nothing failed with `#1`."
        assert town.ask("ada", "errors") == "✅ No errors."
        town.wait_until_settled()
        assert town.titles("anna") == town.titles("bob") == [STARTED]


# ---- the framework's own way of testing bots ----


class TestByTheFramework(test_lib.BotTestCase, test_lib.DefaultTests):
    """The framework looks for bots only within its own package, so it is given ours."""

    bot_name = "lms_bot"

    @pytest.fixture(autouse=True)
    def _surroundings(self, tmp_path: Path) -> Iterator[None]:
        self.config = {
            "lms_db_url": "postgresql://nobody@127.0.0.1:1/none",
            "lms_bot_store": f"sqlite:///{tmp_path / 'store.db'}",
        }
        handlers: list[LMSBotHandler] = []
        before = signal.getsignal(signal.SIGTERM)

        def get_handler(bot_name: str) -> LMSBotHandler:
            handlers.append(LMSBotHandler())
            return handlers[-1]

        with (
            mock.patch("zulip_bots.test_lib.get_bot_message_handler", get_handler),
            self.mock_config_info(self.config),
        ):
            yield
        for handler in handlers:
            if hasattr(handler, "app"):
                handler.app.stop()
        signal.signal(signal.SIGTERM, before)

    def test_whoever_asks_there_is_a_stranger(self) -> None:
        self.verify_dialog([("help", REFUSAL), ("students", REFUSAL), ("history john_doe", REFUSAL)])

    def test_good_settings_are_accepted(self) -> None:
        self.validate_valid_config(self.config)

    def test_wrong_settings_are_refused(self) -> None:
        self.validate_invalid_config(self.config | {"lms_activity_poll_interval": "soon"}, "poll_interval")
        self.validate_invalid_config({}, "LMS_DB_NAME and LMS_DB_USER missing")
