"""Duties only one process does at a time, by leases in the store."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from lms_bot.store.database import Store
from lms_bot.store.models import Lease


def own_name() -> str:
    """This process, told apart from every other that uses the store."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Leases:
    def __init__(self, store: Store, holder: str | None = None) -> None:
        self._store = store
        self._holder = holder or own_name()

    def acquire(self, duty: str, seconds: float, now: datetime) -> bool:
        """Takes or renews the duty for so long. False while another living process holds it."""
        until = now + timedelta(seconds=seconds)
        with self._store.transaction():
            held = Lease.get_or_none(Lease.duty == duty)
            if held is None:
                fresh = Lease.insert(duty=duty, holder=self._holder, expires_at=until).on_conflict_ignore()
                return bool(fresh.as_rowcount().execute())
            if held.holder != self._holder and held.expires_at > now and not is_dead(held.holder):
                return False
            seen = (Lease.duty == duty) & (Lease.holder == held.holder) & (Lease.expires_at == held.expires_at)
            return bool(Lease.update(holder=self._holder, expires_at=until).where(seen).execute())

    def release(self, duty: str) -> None:
        with self._store.transaction():
            Lease.delete().where(Lease.duty == duty, Lease.holder == self._holder).execute()


def is_dead(holder: str) -> bool:
    """Whether a process of this machine is gone, so that nobody need wait for its lease to run out."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False
