"""What is written about the settings: README's table and the example file. `make docs` rewrites both."""

from __future__ import annotations

import re
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


def as_written(default: Any) -> str:
    """A default as one would write it, blank for none."""
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def settings_markdown() -> str:
    """The settings as a markdown table, ending in a newline."""
    rows = "| setting | default | meaning |\n|---|---|---|\n"
    for name, field in Settings.model_fields.items():
        default = as_written(field.default)
        rows += f"| `{name.upper()}` | {f'`{default}`' if default else '-'} | {field.description} |\n"
    return rows


def example_config() -> str:
    """The text of the example file: what must be set is set, the rest is commented out."""
    text = EXAMPLE_HEAD
    for name, field in Settings.model_fields.items():
        meaning = (field.description or "").replace("`", "")
        value = as_written(field.default) or (field.examples or [""])[0]
        text += f"\n# {meaning}\n{'' if name in MUST_BE_SET else '#'}{name} = {value}\n"
    return text


def rewrite(folder: Path) -> None:
    """Bring the table in README.md and the example file in `folder` up to date."""
    (folder / EXAMPLE_FILE).write_text(example_config(), encoding="utf-8")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(TABLE.sub(lambda _: settings_markdown(), text), encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path.cwd())
