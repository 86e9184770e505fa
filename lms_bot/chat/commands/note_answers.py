"""What mentors write down about a student, for each other. As in `answers`."""

from __future__ import annotations

from collections.abc import Iterable

from lms_bot.chat.commands.notes import delete_note, get_notes, write_note
from lms_bot.chat.commands.paging import PAGE_ROWS, check_page, page_note
from lms_bot.chat.commands.preference_replies import name_of, word_for
from lms_bot.chat.commands.replies import NAME_LENGTH, count, format_page
from lms_bot.chat.language.arguments import Listing, read_listing, read_student
from lms_bot.chat.language.numbers import format_refs, read_numbers
from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.chat.language.words import get_said
from lms_bot.core.markdown import code, disarm, event_ref, time_tag
from lms_bot.lms.people import Student
from lms_bot.store.conversation import Note

LONGEST_NOTE = 2000
"""Characters, as written."""

ROOM_ON_PAGE = 8500
"""So many characters of notes are shown at once, or one note."""


def answer_note(question: Question) -> str:
    student, text = read_student(question, question.words, lambda words: get_said(words) or None, command=("note",))
    if text is None:
        raise WrongArguments("And what shall I write down?")
    if len(text) > LONGEST_NOTE:
        raise WrongArguments(f"A note holds at most {LONGEST_NOTE:,} characters, and this has {len(text):,}.")
    question.audit(student.student_id)
    author = question.asker.zulip_user.full_name if question.asker.zulip_user else ""
    made = {"now": question.now, "zulip_message_id": question.message_id}
    note_id = write_note(student.student_id, question.zulip_user_id, author, text, **made)  # type: ignore[arg-type]
    how = f"{code(f'notes {word_for(student)}')} shows all, {code(f'unnote #{note_id}')} deletes this one"
    return f"📌 Noted about **{name_of(student)}**, for all their mentors to read. {how}."


def answer_notes(question: Question) -> str:
    student, listing = read_student(
        question, question.words, lambda words: _read_page(question, words), command=("notes",)
    )
    question.audit(student.student_id)
    return _format_notes(student, get_notes(student.student_id), listing or Listing())


def _read_page(question: Question, words: tuple[str, ...]) -> Listing | None:
    """`page N` alone: notes are of no period and no kind."""
    listing = read_listing(question, words)
    return listing if listing == Listing(page=listing.page if listing else 1) else None


def _format_notes(student: Student, notes: list[Note], listing: Listing) -> str:
    if not notes:
        how = code(f"note {word_for(student)} …")
        return f"📌 Nothing is noted about **{name_of(student)}**. {how} writes something down."
    pages = _split([format_note(one) for one in notes])
    rows_total = len(pages) * PAGE_ROWS  # each page counts as full: notes are long, and few fill one
    check_page(listing.page, rows_total)
    more = page_note(listing.page, rows_total, f"notes {word_for(student)}")
    head = f"📌 **Notes about {name_of(student)}** · {count(len(notes), 'note')}"
    return format_page(head, ("When", "Who", "Note", "Number"), pages[listing.page - 1], [more])


def format_note(note: Note) -> tuple[str, str, str, str]:
    """When, who, what and its number, as cells of a table."""
    author = disarm(note.author_name, max_length=NAME_LENGTH)
    return time_tag(note.created_at), author, disarm(note.text), event_ref(note.note_id)


def _split(rows: Iterable[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    """The rows as pages that fit a message."""
    pages: list[list[tuple[str, ...]]] = []
    room = 0
    for row in rows:
        needed = sum(len(cell) + 3 for cell in row) + 2
        if needed > room or len(pages[-1]) == PAGE_ROWS:
            pages.append([])
            room = ROOM_ON_PAGE
        pages[-1].append(row)
        room -= needed
    return pages


def answer_unnote(question: Question) -> str:
    """Deletes notes of the asker's own; of others' it says no more than of those that never were."""
    numbers = read_numbers(question.words)
    if not numbers:
        raise WrongArguments("Which note? `notes` shows their numbers.")
    deleted = [number for number in numbers if delete_note(number, question.zulip_user_id)]
    unknown = [number for number in numbers if number not in deleted]
    lines = [f"🗑️ Deleted: {format_refs(deleted)}."] if deleted else []
    lines += [f"You have no note {format_refs(unknown)}."] if unknown else []
    return "\n".join(lines)
