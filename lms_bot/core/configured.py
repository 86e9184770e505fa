"""Parts of the configured app, for the public classes that may be made without any: the one way up to it."""

from __future__ import annotations

from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


def get_configured(kind: type[T]) -> T:
    """The configured app's part of this kind.

    Raises LMSBotError where no app can be made of the settings there are.
    """
    part: T = import_module("lms_bot.app").get_app().get_part(kind)
    return part
