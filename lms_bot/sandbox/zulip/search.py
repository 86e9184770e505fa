"""Finding messages in the sandbox Zulip: narrows (what) and windows around an anchor (how many, where)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Sequence
from itertools import islice
from typing import Any, NamedTuple

from lms_bot.sandbox.zulip.organization import Organization
from lms_bot.sandbox.zulip.people import SandboxMessage, SandboxPerson
from lms_bot.sandbox.zulip.refusals import Refusal, bad_narrow

Flags = Container[str]
Predicate = Callable[["SandboxMessage", Flags], bool]
NEWEST = 10_000_000_000_000_000
MAX_MESSAGES = 5000


def compile_narrow(organization: Organization, viewer: SandboxPerson, narrow: Any) -> Predicate:
    """One test for all terms of a narrow: a list of `[operator, operand]` or of objects with those keys."""
    if not isinstance(narrow, list):
        raise Refusal("narrow is not a list")
    tests = [_compile_term(organization, viewer, term) for term in narrow]
    return lambda message, flags: all(test(message, flags) for test in tests)


def _compile_term(organization: Organization, viewer: SandboxPerson, term: Any) -> Predicate:
    if isinstance(term, dict) and {"operator", "operand"} <= term.keys():
        operator, operand, is_negated = term["operator"], term["operand"], bool(term.get("negated"))
    elif isinstance(term, list) and len(term) == 2:
        operator, operand, is_negated = *term, False
    else:
        raise Refusal("elem is not a dict or a 2-tuple")
    if str(operator).startswith("-"):
        operator, is_negated = operator[1:], True
    try:
        build = _OPERATORS[operator]
    except (KeyError, TypeError):
        raise bad_narrow(f"unknown operator {operator}") from None
    test = build(organization, viewer, operand)
    return (lambda message, flags: not test(message, flags)) if is_negated else test


def _by_sender(organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    sender_id = _find_person(organization, operand).user_id
    return lambda message, _flags: message.sender_id == sender_id


def _by_conversation(organization: Organization, viewer: SandboxPerson, operand: Any) -> Predicate:
    wanted = frozenset(person.user_id for person in _find_people(organization, operand)) | {viewer.user_id}
    return lambda message, _flags: message.stream is None and message.participant_ids == wanted


def _by_participant(organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    wanted = frozenset(person.user_id for person in _find_people(organization, operand))
    return lambda message, _flags: message.stream is None and wanted <= message.participant_ids


def _by_stream(organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    stream = organization.find_stream(operand)
    if stream is None:
        raise bad_narrow(f"unknown stream {operand}")
    return lambda message, _flags: message.stream == stream.name


def _by_topic(_organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    topic = str(operand).casefold()
    return lambda message, _flags: message.topic is not None and message.topic.casefold() == topic


def _by_id(_organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    if not str(operand).isdigit():
        raise bad_narrow("Invalid message ID")
    return lambda message, _flags: message.id == int(operand)


def _by_text(_organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    words = str(operand).casefold().split()
    return lambda message, _flags: all(word in message.content.casefold() for word in words)


def _by_state(_organization: Organization, _viewer: SandboxPerson, operand: Any) -> Predicate:
    try:
        return _STATES[operand]
    except (KeyError, TypeError):
        raise bad_narrow(f"unknown 'is' operand {operand}") from None


def _everything(_organization: Organization, _viewer: SandboxPerson, _operand: Any) -> Predicate:
    return lambda _message, _flags: True


def _is_direct(message: SandboxMessage, _flags: Flags) -> bool:
    return message.stream is None


_STATES: dict[str, Predicate] = {
    "dm": _is_direct,
    "private": _is_direct,
    "unread": lambda _message, flags: "read" not in flags,
    "starred": lambda _message, flags: "starred" in flags,
    "mentioned": lambda _message, flags: "mentioned" in flags or "wildcard_mentioned" in flags,
}
_OPERATORS: dict[str, Callable[[Organization, SandboxPerson, Any], Predicate]] = {
    "is": _by_state,
    "sender": _by_sender,
    "from": _by_sender,
    "dm": _by_conversation,
    "pm-with": _by_conversation,
    "dm-including": _by_participant,
    "group-pm-with": _by_participant,
    "stream": _by_stream,
    "channel": _by_stream,
    "topic": _by_topic,
    "subject": _by_topic,
    "id": _by_id,
    "near": _everything,  # says where to look, not what to show
    "search": _by_text,
}


def _find_people(organization: Organization, operand: Any) -> list[SandboxPerson]:
    names = operand if isinstance(operand, list) else str(operand).split(",")
    return [_find_person(organization, name.strip() if isinstance(name, str) else name) for name in names]


def _find_person(organization: Organization, name: Any) -> SandboxPerson:
    person = organization.people.get(name) if isinstance(name, int) else organization.find_by_shown_email(str(name))
    if person is None:
        raise bad_narrow(f"unknown user {name}")
    return person


class Window(NamedTuple):
    """Ids of the messages found, oldest first, and what is known of the borders."""

    message_ids: list[int]
    found_anchor: bool
    found_oldest: bool
    found_newest: bool


def find_window(
    ids: Sequence[int],
    is_match: Callable[[int], bool],
    *,
    anchor: int,
    num_before: int,
    num_after: int,
    include_anchor: bool,
) -> Window:
    """Matches nearest to the anchor among `ids` (ascending): so many older, the anchor, so many newer."""
    middle = bisect_left(ids, anchor)
    has_anchor = middle < len(ids) and ids[middle] == anchor
    older = (ids[place] for place in range(middle - 1, -1, -1) if is_match(ids[place]))
    newer = (ids[place] for place in range(middle + has_anchor, len(ids)) if is_match(ids[place]))
    before = list(islice(older, num_before))[::-1]
    exact = [anchor] if has_anchor and include_anchor and is_match(anchor) else []
    after = list(islice(newer, num_after))
    return Window(
        message_ids=before + exact + after,
        found_anchor=bool(exact),
        found_oldest=anchor <= 0 or len(before) < num_before,
        found_newest=anchor >= NEWEST or len(after) < num_after,
    )
