"""`note`, `notes`, `unnote`: what mentors write down about a student, for each other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo

from lms_bot.chat.commands.rendering import NAME_LENGTH, PAGE_ROWS, check_page, count, format_date, name_of, page_note
from lms_bot.chat.language.arguments import Listing, read_listing, read_student
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import format_refs, get_said, read_numbers
from lms_bot.core.markdown import code, disarm, event_ref
from lms_bot.lms.people import Student
from lms_bot.people.access import Audience
from lms_bot.store.conversation import Note

LONGEST_NOTE = 2000
"""Characters, as written."""

ROOM_ON_PAGE = 8500
"""So many characters of notes are shown at once, or one note."""


def answer_note(question: Question) -> str:
    student, text = read_student(question, lambda words: get_said(words) or None, is_text=True)
    if text is None:
        raise WrongArguments("And what shall I write down?")
    if len(text) > LONGEST_NOTE:
        raise WrongArguments(f"A note holds at most {LONGEST_NOTE:,} characters, and this has {len(text):,}.")
    question.audit(student.student_id)
    author = question.asker.zulip_user.full_name if question.asker.zulip_user else ""
    note_id = write_note(
        student.student_id,
        question.zulip_user_id,
        author,
        text,
        now=question.now,
        zulip_message_id=question.message_id,
    )
    how = f"{code(f'notes {word_for(student)}')} shows all, {code(f'unnote #{note_id}')} deletes this one"
    return f"📌 Noted about **{name_of(student)}**, for all their mentors to read: {disarm(text)}\n{how}."


def answer_notes(question: Question) -> str:
    student, listing = read_student(question, lambda words: _read_page(question, words))
    question.audit(student.student_id)
    return _format_notes(question, student, get_notes(student.student_id), listing or Listing())


def _read_page(question: Question, words: tuple[str, ...]) -> Listing | None:
    """`page N` alone: notes are of no period and no kind."""
    listing = read_listing(question, words)
    return listing if listing == Listing(page=listing.page if listing else 1) else None


def _format_notes(question: Question, student: Student, notes: list[Note], listing: Listing) -> str:
    if not notes:
        how = code(f"note {word_for(student)} …")
        return f"📌 Nothing is noted about **{name_of(student)}**. {how} writes something down."
    pages = _split([format_note(one, question.zone, question.now) for one in notes])
    rows_total = len(pages) * PAGE_ROWS  # each page counts as full: notes are long, and few fill one
    check_page(listing.page, rows_total)
    more = page_note(listing.page, rows_total, f"notes {word_for(student)}")
    head = f"📌 **Notes about {name_of(student)}** · {count(len(notes), 'note')}"
    return "\n".join([head, "", *pages[listing.page - 1], *(["", more] if more else [])])


def format_note(note: Note, zone: tzinfo, now: datetime, max_length: int | None = None) -> str:
    """``- `#2` Wed 18 Mar, Maria: Talked to the parents.``"""
    author, text = disarm(note.author_name, max_length=NAME_LENGTH), disarm(note.text, max_length=max_length)
    return f"- {event_ref(note.note_id)} {format_date(note.created_at, zone, now)}, {author}: {text}"


def _split(lines: Iterable[str]) -> list[list[str]]:
    """The lines as pages that fit a message."""
    pages: list[list[str]] = []
    room = 0
    for line in lines:
        needed = len(line) + 1
        if needed > room or len(pages[-1]) == PAGE_ROWS:
            pages.append([])
            room = ROOM_ON_PAGE
        pages[-1].append(line)
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


def write_note(
    student_id: int,
    zulip_user_id: int,
    author_name: str,
    text: str,
    *,
    now: datetime,
    zulip_message_id: int | None = None,
) -> int:
    """Keeps a note and returns its number. Said again by the same message, it replaces what that one said."""
    values = {"student_id": student_id, "author_name": author_name, "text": text}
    made = {"zulip_user_id": zulip_user_id, "created_at": now, "zulip_message_id": zulip_message_id}
    if zulip_message_id is None:
        return int(Note.create(**values, **made).note_id)
    Note.insert(**values, **made).on_conflict(conflict_target=[Note.zulip_message_id], update=values).execute()
    return int(Note.get(Note.zulip_message_id == zulip_message_id).note_id)


def get_notes(student_id: int, limit: int | None = None) -> list[Note]:
    query = Note.select().where(Note.student_id == student_id).order_by(Note.note_id.desc())
    return list(query.limit(limit))


def count_notes(student_id: int) -> int:
    return int(Note.select().where(Note.student_id == student_id).count())


def delete_note(note_id: int, zulip_user_id: int) -> bool:
    """Whether there was a note of this number by this person; it is no more."""
    query = Note.delete().where(Note.note_id == note_id, Note.zulip_user_id == zulip_user_id)
    return bool(query.execute())


COMMANDS = (
    Command(
        "note", "note <student> <text>", "write something down about a student, for all who mentor them",
        Audience.KNOWN, "note {student} will sit the exam again on Friday", answer_note, aliases=("remember",),
        is_about_own_students=True, changes=True,
    ),
    Command(
        "notes", "notes <student> [page N]", "what is written down about a student", Audience.KNOWN,
        "notes {student}", answer_notes, is_about_own_students=True,
    ),
    Command(
        "unnote", "unnote <number>…", "delete a note of yours", Audience.KNOWN, "unnote #3", answer_unnote,
        aliases=("delete note", "remove note", "forget note"), changes=True,
    ),
)  # fmt: skip
