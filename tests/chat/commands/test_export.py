"""`export`: a file to be opened in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.chat.commands import export
from lms_bot.chat.respond import REFUSAL
from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.core.markdown import one_line
from lms_bot.insight.export import CsvFormat
from lms_bot.store.conversation import AuditEntry
from tests.worlds.chat_world import ADMIN, ARJUN, JANE, JOHN, MARIA, NOW, PUPIL, ZOE, World, make_user

if TYPE_CHECKING:
    from lms_bot.chat import Reply

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED
HEADER_BYTES = len(CsvFormat(UTC).format_header().encode()) + 1
FORMULAS = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\u200b=1", "\xa0=1", '"=1"', "\n@A1"]


def scored(percentage: float) -> dict[str, Any]:
    return {"activity_metadata": {"score": percentage / 2, "percentage": percentage}}


def get_audited(world: World) -> list[tuple[int, int | None, str]]:
    with world.store.session():
        return [(entry.zulip_user_id, entry.student_id, entry.command) for entry in AuditEntry.select()]


def read_csv(reply: Reply) -> list[dict[str, str]]:
    (file,) = reply.files
    assert f"\n\n[{file.name}](attachment:0)" in reply.text
    assert file.content.startswith(b"\xef\xbb\xbfevent_id,event_type,event,timestamp,local_time (")
    return list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))


def test_an_export_holds_what_one_student_did_in_that_time(small_world: World) -> None:
    event = small_world.add_event(JOHN, PASSED, activity_title='Álgebra, "part 1"', **scored(85.5))
    small_world.add_event(JOHN, PASSED, ago=10 * DAY)
    small_world.add_event(JANE, PASSED)
    small_world.add_event(JOHN, WATCHED, is_echo=True)

    reply = small_world.ask("export john_doe last 3 days")

    assert reply.is_private and "📄 **John Doe (john_doe)** · the last 3 days · 1 event" in reply.text
    assert reply.files[0].name == "events-john_doe.csv"
    (row,) = read_csv(reply)
    assert row["event_id"] == str(event.event_id) and row["timestamp"] == "2026-03-18T11:00:00+00:00"
    assert (row["activity_title"], row["score"], row["percentage"]) == ('Álgebra, "part 1"', "42.75", "85.5")


@pytest.mark.parametrize(
    ("zone", "named", "local"),
    [
        ("Pacific/Auckland", "local_time (Pacific/Auckland)", "2026-03-19 00:00:00"),
        ("America/New_York", "local_time (America/New_York)", "2026-03-18 07:00:00"),
        ("", "local_time (UTC)", "2026-03-18 11:00:00"),
        ("Nowhere/At_All", "local_time (UTC)", "2026-03-18 11:00:00"),
    ],
)
def test_times_are_also_those_of_the_askers_clock_and_the_column_says_whose(
    small_world: World, zone: str, named: str, local: str
) -> None:
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone=zone)
    small_world.add_event(JOHN, PASSED)

    (row,) = read_csv(small_world.ask("export john_doe"))

    assert row[named] == local and row["timestamp"] == "2026-03-18T11:00:00+00:00"


def test_an_export_says_in_plain_words_what_each_code_means(small_world: World) -> None:
    for kind in ActivityType:
        small_world.add_event(JOHN, kind)

    rows = read_csv(small_world.ask("export john_doe"))

    said = {row["event_type"]: row["event"] for row in rows}
    assert said == {
        "exam_started": "Exam started",
        "exam_completed": "Exam completed",
        "exam_passed": "Exam passed",
        "exam_failed": "Exam failed",
        "content_started": "Content started",
        "content_completed": "Content completed",
        "content_watched": "Content watched",
    }


@pytest.mark.parametrize("number", [-12.5, 0, -5, 1e-07, 85.5])
def test_numbers_stay_numbers(small_world: World, number: float) -> None:
    small_world.add_event(JOHN, activity_metadata={"score": number, "percentage": number})

    (row,) = read_csv(small_world.ask("export john_doe"))

    assert float(row["score"]) == float(row["percentage"]) == number


def test_export_all_is_the_own_students_and_for_an_admin_everybody(world: World) -> None:
    for student in (JOHN, JANE, ZOE, JOHN):
        world.add_event(student)

    own = read_csv(world.ask("export all"))
    everybody = read_csv(world.ask("export all 3 days please", ADMIN))

    assert [row["student_username"] for row in own] == ["john_doe", "john_doe", "jane_smith"]
    assert len(everybody) == 4
    assert get_audited(world) == [(ADMIN, None, "export")]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_to_a_spreadsheet(small_world: World, text: str) -> None:
    metadata = {"result": text, "score": -5, "percentage": text}
    small_world.add_event(JOHN, activity_title=text, activity_metadata=metadata)

    (row,) = read_csv(small_world.ask("export john_doe"))

    assert row["activity_title"] == row["result"] == row["percentage"] == f"'{one_line(text)}"
    assert row["score"] == "-5"


def test_nor_in_any_other_column_whoever_wrote_it() -> None:
    lines = CsvFormat(UTC)
    names = next(csv.reader([lines.format_header().removeprefix("\ufeff")]))
    row: dict[str, Any] = dict.fromkeys(names, "=1+2") | {"timestamp": NOW, "created_at": NOW, "event_id": 7}

    (cells,) = csv.reader([lines.format_line(row | {"activity_metadata": dict.fromkeys(names, "\t@A1")})])

    assert len(cells) == len(names)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert cells.count("'=1+2") == 7 and cells.count("'@A1") == 7


@pytest.mark.parametrize("text", ["a;=1+2", "a; =1", 'a;"=1"', "a\t=1", "a\n=1", "a|-1", "a;;@SUM(A1)"])
def test_nor_to_one_that_takes_another_separator(small_world: World, text: str) -> None:
    small_world.add_event(JOHN, activity_title=text, activity_metadata={})

    (file,) = small_world.ask("export john_doe").files

    for delimiter in ";\t|":
        lines = csv.reader(io.StringIO(file.content.decode("utf-8-sig")), delimiter=delimiter)
        assert not [cell for line in lines for cell in line if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


def test_what_is_too_much_for_zulip_is_to_be_asked_for_in_shorter_periods(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST_FILE", HEADER_BYTES + 300)
    small_world.add_event(JOHN, activity_title="Recent")
    for _ in range(5):
        small_world.add_event(JOHN, ago=9 * DAY)

    assert "choose a shorter period" in small_world.ask("export john_doe").text
    assert not small_world.ask("export john_doe").files
    assert len(small_world.ask("export john_doe today").files[0].content) <= HEADER_BYTES + 300


def test_others_students_cannot_be_charted_or_exported(small_world: World) -> None:
    small_world.add_event(ZOE)
    for command in ("chart", "export"):
        assert small_world.ask(f"{command} zoe").text == small_world.ask(f"{command} nobody").text
        assert not small_world.ask(f"{command} zoe").files
        assert small_world.ask(f"{command} zoe", ARJUN).files or command == "chart"
        assert small_world.ask(f"{command} zoe", PUPIL).text == REFUSAL
    small_world.ask("chart zoe", ADMIN)
    small_world.ask("export zoe", ADMIN)
    assert get_audited(small_world) == [(ADMIN, ZOE.student_id, "chart"), (ADMIN, ZOE.student_id, "export")]


def test_nothing_to_export_makes_no_file_and_wrong_words_get_usage(small_world: World) -> None:
    assert small_world.ask("export john_doe").text == "📄 **John Doe (john_doe)** · all that is known\n\nNo activity."
    assert "Usage: `export <student>|all [period]`" in small_world.ask("export all sometime").text
    assert "Which student?" in small_world.ask("export").text
