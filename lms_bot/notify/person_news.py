"""When each person was told what, in one row that is locked while something is written to them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from lms_bot.notify.grouping import Recent
from lms_bot.notify.preferences import Pace
from lms_bot.store.concerns import PersonNews
from lms_bot.store.database import Store


def lock_person(store: Store, zulip_user_id: int) -> PersonNews:
    """This person's row, in the caller's transaction: one process at a time writes to a person."""
    PersonNews.insert(zulip_user_id=zulip_user_id).on_conflict_ignore().execute()
    query = PersonNews.select().where(PersonNews.zulip_user_id == zulip_user_id)
    person: PersonNews = (query.for_update() if store.is_postgresql else query).get()
    return person


def get_recent(person: PersonNews, *, is_one_on_its_way: bool) -> Recent:
    return Recent(person.last_at, person.urgent_at, person.results_at, is_one_on_its_way)


def note_told(person: PersonNews, paces: Collection[Pace], now: datetime) -> None:
    """A message with news of these paces was written to them."""
    changes = {"last_at": now}
    if Pace.URGENT in paces:
        changes["urgent_at"] = now
    if Pace.RESULT in paces:
        changes["results_at"] = now
    change_person(person, **changes)


def change_person(person: PersonNews, **changes: datetime | None) -> None:
    PersonNews.update(changes).where(PersonNews.zulip_user_id == person.zulip_user_id).execute()
