"""What is written about the settings: README's table and the example file. `make docs` rewrites both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lms_bot.settings.files import SECTION
from lms_bot.settings.settings import Settings

EXAMPLE_FILE = "lms_bot.conf.example"
TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)
MUST_BE_SET = ("lms_db_name", "lms_db_user", "lms_db_password")
EXAMPLE_HEAD = f"""\
# Settings of lms_bot: `zulip-run-bot lms_bot -c zuliprc -b lms_bot.conf`. Written by `make docs`.
# The same names in upper case work in the environment and in a .env file; the environment wins,
# then .env, then this file. A line with a # before the name shows the default or an example.

[{SECTION}]
"""


@dataclass(frozen=True)
class SettingRow:
    """A setting as documented; `default` and `example` as one would write them, blank for none."""

    name: str
    default: str
    meaning: str
    example: str


def setting_rows() -> list[SettingRow]:
    """Every setting, in the order of the table in `Settings`."""
    return [
        SettingRow(name, _as_written(field.default), field.description or "", (field.examples or [""])[0])
        for name, field in Settings.model_fields.items()
    ]


def _as_written(default: Any) -> str:
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def settings_markdown() -> str:
    """The settings as a markdown table, ending in a newline."""
    rows = [
        f"| `{row.name.upper()}` | {f'`{row.default}`' if row.default else '-'} | {row.meaning} |\n"
        for row in setting_rows()
    ]
    return "| setting | default | meaning |\n|---|---|---|\n" + "".join(rows)


def example_config() -> str:
    """The text of the example file: what must be set is set, the rest is commented out."""
    return EXAMPLE_HEAD + "".join(map(_example_lines, setting_rows()))


def _example_lines(row: SettingRow) -> str:
    meaning = row.meaning.replace("`", "")
    mark = "" if row.name in MUST_BE_SET else "#"
    return f"\n# {meaning}\n{mark}{row.name} = {row.default or row.example}\n"


def rewrite(folder: Path) -> None:
    """Bring the table in README.md and the example file in `folder` up to date."""
    (folder / EXAMPLE_FILE).write_text(example_config(), encoding="utf-8")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(TABLE.sub(lambda _: settings_markdown(), text), encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path.cwd())
