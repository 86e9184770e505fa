"""What became of what students did: row, event, delivery, message, as the bot's store and Zulip have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from lms_bot.core.activities import source_key
from lms_bot.sandbox.zulip.people import SandboxMessage

# Reads the bot's store: `stored(query, values)`.
Stored = Callable[..., list[tuple[Any, ...]]]

SETTLED_SECONDS = 5.0  # an event that is not there so long after its row, though the LMS was polled since, is lost

ENDS = ("sent", "unwanted", "dead")  # of a delivery

EVENTS = "SELECT source_key, event_id, created_at FROM lms_activity_events WHERE source_key IN ({})"
DELIVERIES = (
    "SELECT d.event_id, d.recipient, d.zulip_user_id, d.state, d.created_at, m.content"
    " FROM lms_deliveries d LEFT JOIN lms_messages m ON m.message_id = d.message_id WHERE d.event_id IN ({})"
    " ORDER BY d.delivery_id"
)
NEWS = "SELECT zulip_user_id, content FROM lms_messages WHERE message_id IN (SELECT message_id FROM lms_deliveries)"
LAST_POLL = "SELECT updated_at FROM lms_facts WHERE name = 'last_good_poll'"
COUNTS = (
    "SELECT (SELECT count(*) FROM lms_activity_events WHERE timestamp >= ?1),"
    " (SELECT count(*) FROM lms_deliveries d JOIN lms_activity_events e USING (event_id) WHERE e.timestamp >= ?1)"
)


@dataclass(frozen=True)
class Act:
    """One click: what a student did, and the row of the LMS that says so. `written_at` is its commit."""

    act_id: int
    student: str
    verb: str
    title: str
    stream: str
    row_key: int
    event_type: str
    written_at: float
    mentors: int

    @property
    def source_key(self) -> str:
        return source_key(self.stream, str(self.row_key), self.event_type)


@dataclass(frozen=True)
class Owed:
    """A delivery as far as it got: whether its message is written, and when Zulip took that."""

    recipient: str
    zulip_user_id: int | None
    state: str
    made_at: float
    is_written: bool
    arrived_at: float | None
    message_id: int | None

    @property
    def has_ended(self) -> bool:
        """`sent` must be true in Zulip, too."""
        return self.state in ENDS and not self.is_hollow

    @property
    def is_hollow(self) -> bool:
        return self.state == "sent" and self.arrived_at is None


@dataclass
class Path:
    """How far one act got. Times are epoch seconds, None while it has not come to be."""

    act: Act
    event_id: int | None = None
    recorded_at: float | None = None
    owed: list[Owed] = field(default_factory=list)
    is_overtaken: bool = False
    """The row said something else, which the bot heard of, before it was read: there is nothing to tell."""

    @property
    def is_done(self) -> bool:
        """Nothing more is to come: who mentors the student has it in Zulip, and the store knows, or wants no news."""
        ended = sum(one.has_ended for one in self.owed)
        return self.is_overtaken or (self.event_id is not None and ended >= max(1, self.act.mentors))

    def show(self, names: Mapping[int, str]) -> dict[str, Any]:
        """For the page: each stage with the milliseconds since the one before it."""
        made_at = max((one.made_at for one in self.owed), default=None)
        arrived = [one for one in self.owed if one.arrived_at is not None]
        waiting = [one for one in self.owed if one.state not in ENDS and one.arrived_at is None]
        return {
            "id": self.act.act_id,
            "student": self.act.student,
            "verb": self.act.verb,
            "title": self.act.title,
            "written_at": self.act.written_at,
            "row": f"{self.act.stream} {self.act.row_key}",
            "event": self.event_id and {"id": self.event_id, "ms": _between(self.act.written_at, self.recorded_at)},
            "delivery": {
                "count": len(self.owed),
                "ms": _between(self.recorded_at, made_at),
                "waiting": sorted({"sending" if one.is_written else "gathering" for one in waiting}),
            },
            "messages": [
                {
                    "id": one.message_id,
                    "to": names.get(one.zulip_user_id or 0, one.recipient),
                    "ms": _between(one.made_at, one.arrived_at),
                }
                for one in arrived
            ],
            "mentors": self.act.mentors,
            "total_ms": _between(self.act.written_at, max((one.arrived_at or 0 for one in arrived), default=None)),
            "is_done": self.is_done,
            "is_overtaken": self.is_overtaken,
        }


class Arrivals:
    """The bot's messages as Zulip has them, by person and text: an answer that got lost hides none of them."""

    def __init__(self, messages: Iterable[SandboxMessage]) -> None:
        self._first: dict[tuple[int, str], SandboxMessage] = {}
        self.counts: Counter[tuple[int, str]] = Counter()
        for message in messages:
            for user_id in message.recipient_ids:
                key = (user_id, message.content.strip())
                self.counts[key] += 1
                self._first.setdefault(key, message)

    def find(self, user_id: int | None, content: str | None) -> SandboxMessage | None:
        return None if user_id is None or content is None else self._first.get((user_id, content.strip()))


def look(
    acts: Iterable[Act], stored: Stored, fetch_messages: Callable[[], Iterable[SandboxMessage]]
) -> tuple[list[Path], Arrivals]:
    """The paths of these acts as they stand now. Zulip is asked last: what the store calls sent must be there."""
    paths = {act.source_key: Path(act) for act in acts}
    by_event: dict[int, Path] = {}
    for key, event_id, created_at in stored(EVENTS.format(_places(paths)), list(paths)):
        paths[key].event_id, paths[key].recorded_at = event_id, _epoch(created_at)
        by_event[event_id] = paths[key]
    _mark_overtaken(list(paths.values()))
    owed = stored(DELIVERIES.format(_places(by_event)), list(by_event))
    arrivals = Arrivals(fetch_messages())
    for event_id, recipient, user_id, state, made_at, content in owed:
        found = arrivals.find(user_id, content)
        arrived_at, message_id = (found.sent_at, found.id) if found else (None, None)
        is_written = content is not None
        one = Owed(recipient, user_id, state, _epoch(made_at), is_written, arrived_at, message_id)
        by_event[event_id].owed.append(one)
    return list(paths.values()), arrivals


def _mark_overtaken(paths: Sequence[Path]) -> None:
    """Those without an event where a later act on the same row has one."""
    heard = {(path.act.stream, path.act.row_key): path.act.act_id for path in paths if path.event_id is not None}
    for path in paths:
        later = heard.get((path.act.stream, path.act.row_key), 0)
        path.is_overtaken = path.event_id is None and later > path.act.act_id


def count(
    paths: Sequence[Path], arrivals: Arrivals, rows: int | None, began_at: float, stored: Stored
) -> dict[str, Any]:
    """What there is since the demo began. `rows` is the LMS's own count, None while it cannot be asked."""
    began = datetime.fromtimestamp(began_at, timezone.utc).isoformat(sep=" ", timespec="microseconds")
    events, deliveries = (stored(COUNTS, [began]) or [(0, 0)])[0]
    said = stored(NEWS)
    written = Counter((user_id, content.strip()) for user_id, content in said)
    return {
        "rows": rows,
        "events": events,
        "deliveries": deliveries,
        "messages": sum(arrivals.counts[key] for key in written),
        "waiting": sum(not path.is_done for path in paths),
        "lost": sum(_lost(path, _last_poll_at(stored)) for path in paths),
        "doubled": sum(max(0, arrivals.counts[key] - times) for key, times in written.items()),
    }


def _lost(path: Path, last_poll_at: float) -> int:
    """1 for an event that should be there, or a delivery that is given up or told to nobody though it says so."""
    if path.event_id is None:
        return int(not path.is_overtaken and last_poll_at > path.act.written_at + SETTLED_SECONDS)
    is_short = bool(path.owed) and len(path.owed) < path.act.mentors
    return int(is_short or any(one.state == "dead" or one.is_hollow for one in path.owed))


def _last_poll_at(stored: Stored) -> float:
    found = stored(LAST_POLL)
    return _epoch(found[0][0]) if found else 0.0


def _places(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)


def _between(since: float | None, until: float | None) -> int | None:
    return None if since is None or until is None else max(0, round((until - since) * 1000))


def _epoch(stored: str) -> float:
    return datetime.fromisoformat(stored).timestamp()
