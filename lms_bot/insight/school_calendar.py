"""On which days there is school: days of the week, less holidays that are configured or that an admin declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from time import monotonic

from lms_bot.core.clock import to_utc
from lms_bot.core.errors import ConfigError, first_line
from lms_bot.core.typos import find_nearest
from lms_bot.insight.ics import NotUnderstood, read_events
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.database import Store
from lms_bot.store.models import KeyValue

ONE_DAY = timedelta(days=1)
HOLIDAYS_KEY = "holidays"
DECLARED_CACHE_SECONDS = 30.0
MOST_DAYS_WITHOUT_SCHOOL = 3660
SIMILAR = 75
"""How similar a country's name must be to what was said: 100 is the same."""

Source = Callable[[int], dict[date, str]]
"""The holidays of a year, with their names."""


@dataclass(frozen=True)
class Declared:
    """Days without school, from the first to the last."""

    first: date
    last: date
    name: str


@dataclass(frozen=True)
class _Days:
    """What was found out while these are the declared holidays."""

    declared: list[Declared]
    read_at: float
    sums: dict[int, list[int]] = field(default_factory=dict)
    """By year: how many school days it has before its first day, its second and so on, and in all."""


class SchoolCalendar:
    """The school's days, in its own time zone.

    `holidays` are countries or regions of the `holidays` package and paths to `.ics` files, which are read once:
    ConfigError says in one line what is wrong with one. What an admin declares all processes see within
    DECLARED_CACHE_SECONDS; until they know they raise StoreUnavailable where the store is away. Threads may share it.
    """

    def __init__(
        self,
        school_days: frozenset[str],
        zone: tzinfo,
        holidays: tuple[str, ...],
        store: Store,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.school_days = school_days
        self.zone = zone
        self.holidays = holidays
        self._store = store
        self._clock = clock
        files = [entry for entry in holidays if _is_file(entry)]
        places = [entry for entry in holidays if not _is_file(entry)]
        self._sources: list[Source] = [*map(_open_place, places), *(_open_file(one, zone) for one in files)]
        self._configured: dict[int, dict[date, str]] = {}
        self._kept: _Days | None = None

    def get_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def get_midnight(self, day: date) -> datetime:
        """When the day begins, in UTC."""
        return to_utc(datetime.combine(day, time.min, self.zone))

    def is_school_day(self, day: date) -> bool:
        sums = self._get_sums(self._get_days(), day.year)
        at = _get_day_of_year(day)
        return sums[at + 1] > sums[at]

    def count_school_days(self, after: date, before: date) -> int:
        """How many there are after the one day and before the other."""
        if after >= before:
            return 0
        days, first = self._get_days(), after + ONE_DAY
        whole_years = sum(self._get_sums(days, year)[-1] for year in range(first.year, before.year))
        until_before = self._get_sums(days, before.year)[_get_day_of_year(before)]
        return whole_years + until_before - self._get_sums(days, first.year)[_get_day_of_year(first)]

    def find_next_school_day(self, day: date) -> date:
        """The day itself or the next that is one; the day itself, too, where there is none in ten years."""
        ahead = (day + number * ONE_DAY for number in range(MOST_DAYS_WITHOUT_SCHOOL))
        return next(filter(self.is_school_day, ahead), day)

    def get_holidays(self, first: date, last: date) -> list[Declared]:
        """All holidays from the one day to the other, oldest first, also those on days of the week without school.

        A day has the name an admin declared, or else the file's; days that follow and are called the same are one.
        """
        declared = self._get_days().declared
        found: list[Declared] = []
        for day in map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1)):
            told = next((one.name for one in declared if one.first <= day <= one.last), None)
            name = self._get_configured(day.year).get(day) if told is None else told
            if name is None:
                continue
            if found and found[-1].last == day - ONE_DAY and found[-1].name == name:
                found[-1] = Declared(found[-1].first, day, name)
            else:
                found.append(Declared(day, day, name))
        return found

    def get_declared(self) -> list[Declared]:
        """What admins declared and did not take back, oldest first; no day is in two of them."""
        return list(self._get_days().declared)

    def declare(self, first: date, last: date, name: str) -> None:
        """There is no school on these days; where some were declared already they take the new name."""
        self._change(first, last, [Declared(first, last, name)])

    def take_back(self, first: date, last: date) -> bool:
        """These days are declared no more; whether any was. The rest of a longer holiday stays."""
        return self._change(first, last, [])

    def _change(self, first: date, last: date, added: list[Declared]) -> bool:
        """Whether any of the days had been declared."""
        with self._store.transaction():
            self._store.lock(HOLIDAYS_KEY)
            before = _read_declared()
            left = [part for one in before for part in _cut(one, first, last)]
            changed = sorted([*left, *added], key=lambda one: one.first)
            KeyValue.put(HOLIDAYS_KEY, [[str(one.first), str(one.last), one.name] for one in changed])
        self._kept = None
        return left != before

    def _get_days(self) -> _Days:
        kept, now = self._kept, self._clock()
        if kept is not None and now - kept.read_at < DECLARED_CACHE_SECONDS:
            return kept
        with self._store.session():
            declared = _read_declared()
        sums = kept.sums if kept is not None and kept.declared == declared else {}
        self._kept = days = _Days(declared, now, sums)
        return days

    def _get_sums(self, days: _Days, year: int) -> list[int]:
        sums = days.sums.get(year)
        if sums is None:
            sums = days.sums[year] = self._sum_up(year, days.declared)
        return sums

    def _sum_up(self, year: int, declared: list[Declared]) -> list[int]:
        first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
        free = {day.toordinal() for day in self._get_configured(year)}
        for one in declared:
            free.update(range(max(first, one.first.toordinal()), min(last, one.last.toordinal()) + 1))
        sums = [0]
        for day in range(first, last + 1):
            is_free = day in free or WEEKDAYS[(day - 1) % 7] not in self.school_days
            sums.append(sums[-1] + (not is_free))
        return sums

    def _get_configured(self, year: int) -> dict[date, str]:
        found = self._configured.get(year)
        if found is None:
            found = self._configured[year] = {
                day: name for source in self._sources for day, name in source(year).items()
            }
        return found


def _get_day_of_year(day: date) -> int:
    """0 for the first."""
    return day.toordinal() - date(day.year, 1, 1).toordinal()


def _read_declared() -> list[Declared]:
    found = KeyValue.find(HOLIDAYS_KEY) or []
    return [Declared(date.fromisoformat(first), date.fromisoformat(last), name) for first, last, name in found]


def _cut(one: Declared, first: date, last: date) -> Iterator[Declared]:
    """What is left of it without these days."""
    if last < one.first or one.last < first:
        yield one
        return
    if one.first < first:
        yield Declared(one.first, first - ONE_DAY, one.name)
    if last < one.last:
        yield Declared(last + ONE_DAY, one.last, one.name)


def _is_file(entry: str) -> bool:
    return entry.lower().endswith(".ics")


def _wrong(problem: str) -> ConfigError:
    return ConfigError([f"LMS_HOLIDAYS: {problem}"])


def _open_file(entry: str, zone: tzinfo) -> Source:
    try:
        events = read_events(Path(entry).read_bytes(), zone)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _wrong(f"the file {entry} cannot be read ({reason}); name one that is there and readable") from None
    except NotUnderstood as error:
        raise _wrong(f"the file {entry} {first_line(error)}; mend it, or leave it out") from None
    return lambda year: {day: one.name for one in events for day in one.get_days(year)}


def _open_place(entry: str) -> Source:
    """A country's public holidays, or a region's."""
    try:
        import holidays
    except ImportError:
        raise _wrong(f"{entry} needs a package that is missing: pip install 'lms-bot[holidays]'") from None
    country, _, region = (part.strip() for part in entry.partition("-"))
    country = country.upper()
    regions = holidays.list_supported_countries().get(country)
    if regions is None:
        raise _wrong(
            f"{entry!r} is neither a country nor an .ics file{_suggest_country(country)}; write it like DE-BY"
        )
    kind = type(holidays.country_holidays(country))
    spellings = {name.casefold(): name for name in (*regions, *kind.subdivisions_aliases)}
    subdivision = spellings.get(region.casefold())
    if "-" in entry and subdivision is None:
        known = f"its regions are {', '.join(regions)}" if regions else "it has no regions"
        raise _wrong(f"{country} has no region {region!r}; {known}")

    def get_holidays(year: int) -> dict[date, str]:
        found = holidays.country_holidays(country, subdiv=subdivision, years=year)
        return {day: name for day, name in found.items() if day.year == year}

    return get_holidays


def _suggest_country(said: str) -> str:
    """Of countries by their English names: two letters are like too many others."""
    from holidays.registry import COUNTRIES

    codes = {key.replace("_", " "): names[1] for key, names in COUNTRIES.items()}
    nearest = find_nearest(said.replace("_", " ").lower(), codes, 1, SIMILAR) if len(said) > 3 else []
    return f" (did you mean {codes[nearest[0]]}?)" if nearest else ""
