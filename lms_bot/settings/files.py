"""The files settings are written in, or name: bot config, .env, user map."""

from __future__ import annotations

import configparser
import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

from lms_bot.core.errors import ConfigError
from lms_bot.settings.checks import zulip_person

SECTION = "lms_bot"
USER_MAP_HEADER = ["lms_kind", "lms_username", "zulip_user"]


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path} cannot be read: it is not UTF-8 text"]) from None


def config_section(config: Mapping[str, str] | Path | None) -> tuple[Mapping[str, str], str]:
    """The names and values of the [lms_bot] section, and what to call the place."""
    if not isinstance(config, Path):
        return config or {}, "bot config file"
    parser = configparser.ConfigParser(interpolation=None)  # a % in a password is a %
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # keep the spelling, for messages
    text = _read_text(config)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigError([f"{config} line {_what_is_garbled(error)}"]) from None
    if not parser.has_section(SECTION):
        raise ConfigError([f"{config} has no [{SECTION}] section"])
    return parser[SECTION], config.name


def _what_is_garbled(error: configparser.Error) -> str:
    """Line number and trouble; configparser's own words would quote the line, and so a password."""
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{error.lineno}: {error.option} is set a second time"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"{error.lineno}: [{error.section}] begins a second time"
    line = getattr(error, "lineno", None) or getattr(error, "errors", [(1, "")])[0][0]
    return f"{line}: must be `name = value` below a line [{SECTION}]"


def dotenv_pairs(path: Path | None) -> dict[str, str | None]:
    """What the .env file sets; nothing where there is none. A $ in a value is a $."""
    if path is None or not os.path.isfile(path):
        return {}
    bindings = list(parse_stream(io.StringIO(_read_text(path))))
    garbled = [b.original.line for b in bindings if b.error and "lms_" in b.original.string.lower()]
    if garbled:
        raise ConfigError([f"{path} line {line}: must be NAME=value" for line in garbled])
    return {binding.key: binding.value for binding in bindings if binding.key}


@dataclass(frozen=True)
class UserMapRow:
    """Who somebody of the LMS is in Zulip: `zulip_user` is a user id or a casefolded e-mail."""

    lms_kind: str
    lms_username: str
    zulip_user: int | str


def load_user_map(path: Path) -> list[UserMapRow]:
    """The rows of a user map file. Raises ConfigError with one line for each wrong line of it."""
    lines = _csv_lines(path)
    if not lines or lines[0][1] != USER_MAP_HEADER:
        raise ConfigError([f"{path} line 1: must be {','.join(USER_MAP_HEADER)}"])
    problems: list[str] = []
    first_line: dict[tuple[str, str], int] = {}
    rows = []
    for number, cells in lines[1:]:
        try:
            row = _user_map_row(cells)
        except ValueError as error:
            problems.append(f"{path} line {number}: {error}")
            continue
        earlier = first_line.setdefault((row.lms_kind, row.lms_username), number)
        if earlier != number:
            problems.append(f"{path} line {number}: the same {row.lms_kind} as in line {earlier}")
        rows.append(row)
    if problems:
        raise ConfigError(problems)
    return rows


def _csv_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells of each line that is not blank."""
    reader = csv.reader(io.StringIO(_read_text(path)), strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ConfigError([f"{path} line {reader.line_num}: {error}"]) from None
    return [(number, cells) for number, cells in lines if any(cells)]


def _user_map_row(cells: list[str]) -> UserMapRow:
    if len(cells) != len(USER_MAP_HEADER):
        raise ValueError(f"must have {len(USER_MAP_HEADER)} fields, has {len(cells)}")
    kind, username, zulip_user = cells
    if kind.lower() not in ("mentor", "student"):
        raise ValueError("lms_kind must be mentor or student")
    if not username:
        raise ValueError("lms_username is blank")
    try:
        return UserMapRow(kind.lower(), username, zulip_person(zulip_user))
    except ValueError as error:
        raise ValueError(f"zulip_user {error}") from None
