"""Who is owed news of a student, as values: found by people and LMS, written down by whoever records."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Owed:
    """A delivery to be made: to whom (see `Delivery.recipient`), or why nobody is known."""

    recipient: str
    zulip_user_id: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Recipients:
    """Who is to be told of one student, and whose student it is."""

    owed: tuple[Owed, ...] = ()
    mentor_id: int | None = None
    mentor_username: str | None = None
    student_zulip_user_id: int | None = None


FindRecipients = Callable[[Collection[int]], dict[int, Recipients]]
"""Gives the recipients of each of these students. May ask the LMS and Zulip; raises LMSUnavailable or LMSRefused."""
