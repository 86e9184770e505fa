"""`note`, `notes`, `unnote`: what mentors write down about a student."""

from __future__ import annotations

import pytest

from lms_bot.chat.commands.notes import count_notes, get_notes
from lms_bot.chat.respond import REFUSAL, respond
from lms_bot.store.conversation import AuditEntry, Note
from tests.worlds.chat_world import ADMIN, ARJUN, BOSS, JANE, JOHN, JOSE, MARIA, NOW, PUPIL, ZOE, World


def texts_of(world: World, student_id: int) -> list[str]:
    with world.store.session():
        return [note.text for note in get_notes(student_id)]


def test_a_note_is_read_by_every_mentor_the_student_has_and_by_admins(world: World) -> None:
    said = world.ask("note john_doe Struggles with fractions; call on Friday.")

    assert said.is_private and "Noted about **John Doe (john_doe)**" in said.text and "`unnote #1`" in said.text
    line = "- `#1` Wed 18 Mar, Maria: Struggles with fractions; call on Friday."
    for mentor in (MARIA, ARJUN, ADMIN):
        assert line in world.ask("notes john", mentor).text


def test_a_note_of_a_student_who_is_somebody_elses_cannot_be_read_or_written(small_world: World) -> None:
    small_world.ask("note zoe good", ARJUN)

    assert "good" not in small_world.ask("notes zoe").text
    assert small_world.ask("notes zoe").text == small_world.ask("notes nobody").text
    assert small_world.ask("note zoe mine").text == small_world.ask("note norbert mine").text
    assert texts_of(small_world, ZOE.student_id) == ["good"]
    assert small_world.ask("notes zoe", PUPIL).text == REFUSAL


def test_a_mentor_who_no_longer_has_the_student_no_longer_reads_the_notes(small_world: World) -> None:
    small_world.ask("note john_doe good")
    small_world.people.students_of[1] = (JANE, JOSE)

    assert "good" not in small_world.ask("notes john_doe").text
    assert "good" in small_world.ask("notes john_doe", ARJUN).text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("note john_doe Mother CALLED: please call back, thanks!", "Mother CALLED: please call back, thanks!"),
        ("note John Doe: 3/4 done (see #12)...", "3/4 done (see #12)..."),
        ("note doe john Is he ill?", "Is he ill?"),
        ("note @**John Doe** - asked for help", "asked for help"),
        ("note john_doe first line\nsecond line", "first line second line"),
        ('note john_doe "quoted" and `code`', '"quoted" and `code`'),
        ("note john_doe last week was hard", "last week was hard"),
        ("note john_doe 2", "2"),
    ],
)
def test_a_note_keeps_the_words_it_was_written_with(small_world: World, said: str, text: str) -> None:
    small_world.ask(said)
    assert texts_of(small_world, JOHN.student_id) == [text]


def test_where_the_name_is_not_clear_the_number_of_one_is_enough_and_the_text_is_kept(world: World) -> None:
    said = world.ask("note jo Mother CALLED, twice!").text
    assert "José García (jgarcia)" in said and "John Doe (john_doe)" in said

    number = 1 if said.index("José") < said.index("John") else 2
    world.ask(str(number))

    assert texts_of(world, JOSE.student_id) == ["Mother CALLED, twice!"]
    assert texts_of(world, JOHN.student_id) == []


def test_a_message_read_twice_makes_one_note_and_an_edited_one_changes_it(world: World) -> None:
    for text in ("note john_doe first", "note john_doe first", "note john_doe second"):
        respond(world.context, text, MARIA, now=NOW, message_id=77)
    world.ask("note john_doe another")

    assert texts_of(world, JOHN.student_id) == ["another", "second"]
    with world.store.session():
        assert count_notes(JOHN.student_id) == 2


def test_a_note_must_say_something_and_not_too_much(small_world: World) -> None:
    nothing = small_world.ask("note john_doe").text
    too_long = small_world.ask(f"note john_doe {'x' * 2001}").text
    small_world.ask(f"note john_doe {'y' * 2000}")

    assert "what shall I write down" in nothing and "Usage: `note <student> <text>`" in nothing
    assert "at most 2,000 characters, and this has 2,001" in too_long
    assert texts_of(small_world, JOHN.student_id) == ["y" * 2000]


def test_notes_are_disarmed_when_they_are_shown_not_when_they_are_written(small_world: World) -> None:
    hostile = "ask @*everyone* | [a](http://evil.example/) `x` **b** <time:2026-01-01T00:00:00Z>"
    small_world.ask(f"note john_doe {hostile}")

    (row,) = [line for line in small_world.ask("notes john_doe").text.splitlines() if "#1" in line]

    assert texts_of(small_world, JOHN.student_id) == [hostile]
    assert row.replace("\u200b", "").startswith("- `#1` Wed 18 Mar, Maria: ask @")
    assert not any(marker in row for marker in ("@*", "](", "|", "**", "<time:"))


def test_long_notes_go_on_further_pages(small_world: World) -> None:
    for number in range(12):
        small_world.ask(f"note john_doe {number}: {'@x ' * 600}")

    pages = [small_world.ask("notes john_doe").text]
    while "shows the next" in pages[-1]:
        pages.append(small_world.ask(f"notes john_doe page {len(pages) + 1}").text)

    assert all(len(page) <= 10_000 for page in pages)
    assert sum(page.count("\n- `#") for page in pages) == 12
    assert "`notes john_doe page 2`" in pages[0]
    assert "There are only" in small_world.ask("notes john_doe page 99").text
    assert "Usage:" in small_world.ask("notes john_doe last week").text


def test_without_notes_it_says_how_to_write_one(small_world: World) -> None:
    text = small_world.ask("notes john_doe").text
    assert "Nothing is noted about **John Doe (john_doe)**" in text and "`note john_doe …`" in text


def test_who_wrote_a_note_can_delete_it_and_nobody_else(world: World) -> None:
    world.ask("note john_doe mine")

    assert world.ask("unnote #1", ARJUN).text == "You have no note `#1`."
    assert world.ask("unnote #99", ARJUN).text == "You have no note `#99`."
    assert world.ask("unnote #1 #2").text == "🗑️ Deleted: `#1`.\nYou have no note `#2`."
    assert texts_of(world, JOHN.student_id) == []
    assert "Which note?" in world.ask("unnote").text


def test_an_admin_who_reads_or_writes_about_somebody_elses_student_is_seen_to_have_looked(small_world: World) -> None:
    small_world.ask("note john_doe good", BOSS)
    small_world.ask("notes john_doe", BOSS)
    small_world.ask("notes john_doe", MARIA)

    with small_world.store.session():
        entries = [
            (entry.zulip_user_id, entry.student_id, entry.command)
            for entry in AuditEntry.select().order_by(AuditEntry.look_id)
        ]
        assert entries == [(BOSS, JOHN.student_id, "note"), (BOSS, JOHN.student_id, "notes")]
        assert Note.get().author_name == "Boris"
