"""Notes about students. Call it inside `Store.session()`; who may read them is for `asked.read_student` to say."""

from __future__ import annotations

from datetime import datetime

from lms_bot.store.conversation import Note


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
    """What was written down about a student, the newest first."""
    query = Note.select().where(Note.student_id == student_id).order_by(Note.note_id.desc())
    return list(query.limit(limit))


def count_notes(student_id: int) -> int:
    return int(Note.select().where(Note.student_id == student_id).count())


def delete_note(note_id: int, zulip_user_id: int) -> bool:
    """Whether there was a note of this number by this person; it is no more."""
    query = Note.delete().where(Note.note_id == note_id, Note.zulip_user_id == zulip_user_id)
    return bool(query.execute())
