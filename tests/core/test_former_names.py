"""Dotted paths that settings and other people's subclasses may still have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lms_bot
from lms_bot import LMSActivityEventHandler, MessageFormatter, UserMapper
from lms_bot.core.errors import ConfigError
from lms_bot.core.former_names import FORMER_NAMES
from lms_bot.settings.classes import resolve
from lms_bot.settings.settings import Settings

FORMER = {
    "lms_bot.formatter.MessageFormatter": MessageFormatter,
    "lms_bot.users.UserMapper": UserMapper,
    "lms_bot.events.LMSActivityEventHandler": LMSActivityEventHandler,
}


@pytest.mark.parametrize("dotted", FORMER)
def test_a_former_path_names_the_same_class(dotted: str) -> None:
    assert resolve(dotted, FORMER[dotted], "lms_some_class") is FORMER[dotted]


@pytest.mark.parametrize("name", ["lms_user_mapper", "lms_event_handler"])
def test_the_default_is_the_public_name(name: str) -> None:
    module, _, class_name = Settings.model_fields[name].default.rpartition(".")
    assert module == "lms_bot"
    assert class_name in lms_bot.__all__


SUBCLASSES = """
from lms_bot.events import LMSActivityEventHandler
from lms_bot.formatter import MessageFormatter
from lms_bot.users import UserMapper


class OwnFormatter(MessageFormatter):
    pass


class OwnMapper(UserMapper):
    pass


class OwnHandler(LMSActivityEventHandler):
    pass
"""
RESOLVE = """
import lms_bot
from lms_bot.settings.classes import resolve
for base in (lms_bot.MessageFormatter, lms_bot.UserMapper, lms_bot.LMSActivityEventHandler):
    own = "Own" + base.__name__.removeprefix("LMSActivityEvent").removeprefix("Message").removeprefix("User")
    print(resolve(f"own.{own}", base, "some").__mro__[1] is base)
"""


def test_subclasses_that_import_by_former_names_are_found(tmp_path: Path) -> None:
    """In a process of their own, in which nothing was imported before."""
    (tmp_path / "own.py").write_text(SUBCLASSES)
    ended = subprocess.run([sys.executable, "-c", RESOLVE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("True\n" * 3, "")


def test_a_module_has_one_identity_under_both_names() -> None:
    for former, present in FORMER_NAMES.items():
        assert __import__(former, fromlist=["*"]) is __import__(present, fromlist=["*"])


def test_what_never_had_that_name_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"lms_bot\.formatter has no Formatter"):
        resolve("lms_bot.formatter.Formatter", MessageFormatter, "lms_message_formatter")
