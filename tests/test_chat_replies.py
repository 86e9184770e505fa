"""What answers look like to Zulip."""

from __future__ import annotations

from types import SimpleNamespace

from chat_world import NOW
from hypothesis import given
from zulip_rules import constructs, hostile_texts

from lms_bot.chat import replies
from lms_bot.markdown import MAX_MESSAGE_LENGTH
from lms_bot.reports import ErrorGroup, History, RejectedGroup, StudentSummary, Waiting

PLAIN = "plain"


def answers_with(text: str) -> list[str]:
    """One of each kind of answer, with `text` wherever the LMS or Zulip has a say."""
    event = SimpleNamespace(
        event_id=12,
        event_type="exam_passed",
        activity_id=5,
        activity_title=text,
        activity_metadata={"score": text, "percentage": text},
        timestamp=NOW,
    )
    name = replies.format_name(7, text, text + text)
    summary = StudentSummary(7, NOW, text, text)
    return [
        replies.format_history(name, History(1, [event]), "today"),  # type: ignore[list-item]
        replies.format_summary([summary], {7: name}, "today", silent=1),
        replies.format_students({7: name}, {7: event}),
        replies.format_counts("Title", {"In total": {text: 1}}),
        replies.format_numbers("Title", {text: text}),
        replies.format_errors(
            [ErrorGroup(text, 1, [12], NOW)], [RejectedGroup("attempts", text, 1, [text], text, NOW)]
        ),
        replies.format_waiting([(name, Waiting("zulip:1", "ready", text, 1, NOW))], (0, None)),
    ]


@given(hostile_texts)
def test_text_of_others_adds_nothing_to_what_the_template_put_there(text: str) -> None:
    for hostile, plain in zip(answers_with(text), answers_with(PLAIN), strict=True):
        assert not constructs(hostile) - constructs(plain), hostile


def test_no_answer_is_longer_than_a_message_whatever_there_is_to_tell() -> None:
    long, many = "x" * 5000, range(500)
    name = replies.format_name(7, long, long)
    groups = [ErrorGroup(long, 50, [n] * 10, NOW) for n in many]
    rejected = [RejectedGroup("attempts", long, 50, [long] * 10, long, NOW) for _ in many]
    answers = [
        replies.format_summary(
            [StudentSummary(n, NOW, long, long) for n in many], dict.fromkeys(many, name), "x", 9
        ),
        replies.format_students(dict.fromkeys(many, name), {}),
        replies.format_errors(groups, rejected),
        replies.format_errors([], rejected),
        replies.format_waiting([(name, Waiting("zulip:1", "ready", long, 1, NOW))] * 500, (5, NOW)),
    ]
    for answer in answers:
        room_left = MAX_MESSAGE_LENGTH - len(answer) - len(replies.format_stale_note(NOW)) - 2
        assert room_left >= 0
        assert "more" in answer
