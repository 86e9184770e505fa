"""Every setting once: name, default, meaning, check. README and the example file follow from it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from psycopg2.extensions import make_dsn, parse_dsn
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lms_bot.core.errors import ConfigError
from lms_bot.settings.checks import (
    EVENT_TYPES,
    DefaultNotify,
    DottedPath,
    EventTypes,
    GroupSeconds,
    Holidays,
    Hours,
    Milliseconds,
    OptionalDottedPath,
    PollSeconds,
    Port,
    PostgresURL,
    SchoolDayCount,
    SchoolDays,
    Seconds,
    StoreURL,
    TimeZone,
    YesOrNo,
    ZulipPeople,
    suggestion,
)
from lms_bot.settings.files import USER_MAP_HEADER, UserMapRow, config_section, dotenv_pairs, load_user_map

T = TypeVar("T")

__all__ = ["Settings", "UserMapRow", "load_settings", "load_user_map"]


def _row(default: Any, meaning: str, example: str | None = None) -> Any:
    return Field(default, description=meaning, examples=[example] if example else None)


class Settings(BaseSettings):
    """What the operator decided. `load_settings` makes it; `repr` shows no secret."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    lms_db_name: str | None = _row(None, "The LMS's PostgreSQL database.", "lms")
    lms_db_user: str | None = _row(None, "A role there; SELECT is all it needs.", "lms_bot_reader")
    lms_db_password: SecretStr | None = _row(None, "Its password, unless none is asked for.", "secret")
    lms_db_host: str = _row("localhost", "The machine, or the folder of the socket.")
    lms_db_port: Port = _row(5432, "Its port.")
    lms_db_url: PostgresURL | None = _row(
        None, "All five in one; wins over them.", "postgresql://user:password@localhost:5432/lms"
    )
    lms_activity_monitor_enabled: YesOrNo = _row(True, "`false`: the LMS is not polled.")
    lms_notify_mentors_enabled: YesOrNo = _row(True, "`false`: events are stored, but nobody is told.")
    lms_activity_poll_interval: PollSeconds = _row(60, "Seconds between two polls; fractions down to 0.2.")
    lms_event_types_to_monitor: EventTypes = _row(",".join(EVENT_TYPES), "Which events, separated by commas.")
    lms_initial_lookback: Seconds = _row(
        300, "Seconds before the very first start that are still told of; what is older is taken as known."
    )
    lms_news_max_age: Seconds = _row(
        259_200, "What happened more seconds than that before the last good poll is stored and shown, but not told."
    )
    lms_sweep_budget: Milliseconds = _row(
        200, "Milliseconds of the LMS's time that a poll may spend on the complete look for late changes."
    )
    lms_group_seconds: GroupSeconds = _row(
        None,
        "After a message, news for the same person are gathered for so many seconds; 0: each has its own message."
        " Blank: 15 minutes for failed exams, and for who is told everything two polls, two minutes at least.",
        "900",
    )
    lms_default_notify: DefaultNotify = _row(
        "calm",
        "How mentors who chose nothing are told: `calm`, `digest` or `everything`; also `now`, `hourly`, `daily` or"
        " `off`, and any of these by event type.",
        "exam_started=off, everything",
    )
    lms_school_days: SchoolDays = _row("mon-fri", "On which days of the week there is school: `mon-fri`, `sun,mon`.")
    lms_school_zone: TimeZone = _row("UTC", "The time zone in which school days begin and end.", "Europe/Berlin")
    lms_holidays: Holidays = _row(
        "",
        "Days without school: a country or region as the `holidays` package names it (extra `[holidays]`), `.ics`"
        " files, or both, separated by commas.",
        "DE-BY, /etc/lms_bot/terms.ics",
    )
    lms_silent_days: SchoolDayCount = _row(
        7, "A student without activity for so many school days is a concern; so is one who never began."
    )
    lms_open_hours: Hours = _row(24, "An exam that was started so many hours ago and has not ended is a concern.")
    lms_escalate_days: SchoolDayCount = _row(
        3, "An urgent concern that nobody has seen to for so many school days is told to the mentor's supervisor."
    )
    lms_fallback_recipients: ZulipPeople = _row(
        "",
        "E-mails or Zulip user ids of those told of students whose mentors cannot be found, separated by commas.",
        "head@school.example",
    )
    lms_bot_store: StoreURL = _row(
        "sqlite:///lms_bot.db",
        "Where the bot remembers: `sqlite:///file`, `sqlite:////absolute/file` or `postgresql://…`.",
    )
    lms_admins: ZulipPeople = _row(
        "",
        "E-mails or Zulip user ids of admins, separated by commas; Zulip's own admins are admins anyway.",
        "head@school.example, 12",
    )
    lms_students_may_ask: YesOrNo = _row(
        False, "`true`: students may ask for what they did themselves (`history`, `student`, `chart`)."
    )
    lms_user_map: Path | None = _row(
        None,
        f"CSV file `{','.join(USER_MAP_HEADER)}` (kind `mentor` or `student`; Zulip user id or e-mail) that"
        " overrides every other way of finding a person.",
        "user_map.csv",
    )
    lms_message_formatter: OptionalDottedPath = _row(
        None,
        "Class that words all messages: a subclass of `lms_bot.MessageFormatter`. Blank: that for who is told"
        " everything, `lms_bot.BriefFormatter` for others.",
        "lms_bot.BriefFormatter",
    )
    lms_user_mapper: DottedPath = _row(
        "lms_bot.UserMapper", "Class that finds people in Zulip; a subclass of the default."
    )
    lms_event_handler: DottedPath = _row(
        "lms_bot.LMSActivityEventHandler",
        "Class that makes deliveries of events; a subclass of the default.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # pydantic passes all of them by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing from anywhere else: `load_settings` must know where each value was written."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _clean(cls, value: Any, field: ValidationInfo) -> Any:
        """Spaces around a value are never meant, but in a password."""
        if not isinstance(value, str):
            return value
        if re.search("[\ud800-\udfff]", value):  # how Python shows bytes of the environment it cannot read
            raise ValueError("is not UTF-8 text")
        return value if field.field_name == "lms_db_password" else value.strip()

    @property
    def has_lms(self) -> bool:
        """Whether it is said where the LMS is."""
        return not self.missing_lms_settings

    @property
    def missing_lms_settings(self) -> list[str]:
        """What is to be set before the LMS can be reached."""
        if self.lms_db_url:
            return []
        return [name for name in ("lms_db_name", "lms_db_user") if getattr(self, name) is None]

    @property
    def lms_dsn(self) -> str:
        """The LMS for psycopg2, as a libpq keyword string; holds the password. ConfigError without an LMS."""
        if not self.has_lms:
            raise ConfigError([_missing_line(self.missing_lms_settings)])
        if self.lms_db_url:
            return str(make_dsn(**parse_dsn(self.lms_db_url.get_secret_value())))
        password = self.lms_db_password.get_secret_value() if self.lms_db_password else None
        names = {"dbname": self.lms_db_name, "user": self.lms_db_user, "password": password}
        return str(make_dsn(**names, host=self.lms_db_host, port=self.lms_db_port))

    @property
    def store_url(self) -> str:
        """The store's URL; may hold a password."""
        return self.lms_bot_store.get_secret_value()

    @cached_property
    def user_map_rows(self) -> list[UserMapRow]:
        """The rows of LMS_USER_MAP as they were at the start."""
        return load_user_map(self.lms_user_map) if self.lms_user_map else []


def load_settings(
    bot_config: Mapping[str, str] | Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    dotenv: Path | None = Path(".env"),
    require_lms: bool = True,
) -> Settings:
    """The settings: environment, else `.env`, else the bot config's [lms_bot] section, else default.

    `bot_config` is that section or the file it is in. A blank value counts as none. The LMS must be
    named when `require_lms` and it is to be polled. Raises ConfigError with one line for each mistake.
    """
    problems: list[str] = []
    section: Mapping[str, str] = {}
    place = ""
    pairs: Mapping[str, str | None] = {}
    with collecting(problems):
        section, place = config_section(bot_config)
    with collecting(problems):
        pairs = dotenv_pairs(dotenv)
    is_all_read = not problems
    problems += _unknown_names(section, place)
    given = _given(section, place) | _given(pairs, str(dotenv)) | _given(environ, "environment")
    settings = _validated(given, problems)
    if settings.lms_user_map:
        with collecting(problems, prefix=f"{given['lms_user_map'][0]}: "):
            _ = settings.user_map_rows  # read now: a wrong file must stop the start
    is_lms_needed = require_lms and settings.lms_activity_monitor_enabled
    if is_lms_needed and is_all_read and not settings.has_lms and "lms_db_url" not in given:
        problems.append(_missing_line(settings.missing_lms_settings))
    if problems:
        raise ConfigError(problems)
    return settings


@contextmanager
def collecting(problems: list[str], prefix: str = "") -> Iterator[None]:
    """Go on after a ConfigError, and keep its lines."""
    try:
        yield
    except ConfigError as error:
        problems += [prefix + problem for problem in error.problems]


def _given(pairs: Mapping[str, str | None], place: str) -> dict[str, tuple[str, str]]:
    """By setting: how and where it was written, and its text."""
    return {
        name.lower(): (f"{name} ({place})", text)
        for name, text in pairs.items()
        if text and text.strip() and name.lower() in Settings.model_fields
    }


def _validated(given: Mapping[str, tuple[str, str]], problems: list[str]) -> Settings:
    """The settings, with the default in place of each wrong value, which becomes a line of `problems`."""
    values = {name: text for name, (_, text) in given.items()}
    try:
        return Settings.model_validate(values)
    except ValidationError as failure:
        wrong = {str(error["loc"][0]): error for error in failure.errors()}
    for name, error in wrong.items():
        problems.append(f"{given[name][0]}: {_what_is_wrong(name, error, values.pop(name))}")
    return Settings.model_validate(values)


def _what_is_wrong(name: str, error: Any, text: str) -> str:
    if error["type"] == "value_error":  # raised by a check above, in its own words
        return str(error["ctx"]["error"])
    allowed = [word for word in Settings.model_fields[name].metadata if isinstance(word, str)]
    return f"{text!r} is not {allowed[0]}" if allowed else error["msg"]


def _missing_line(missing: list[str]) -> str:
    names = " and ".join(name.upper() for name in missing)
    return f"{names} missing: the bot cannot find the LMS without (LMS_DB_URL would do instead)"


def _unknown_names(section: Mapping[str, str], place: str) -> list[str]:
    known = list(Settings.model_fields)
    return [
        f"{name} ({place}): there is no such setting{suggestion(name, known)}"
        for name in section
        if name.lower() not in known
    ]
