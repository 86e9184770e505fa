"""Where a public class gets the parts that nobody handed it: from the configured app. No other place looks it up."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")


def get_configured(kind: type[T]) -> T:
    """The part of this type of the configured app: see `app.get_app`, which raises ConfigError where there is none.

    By name, and when it is needed: nothing but the doors depends on `app`.
    """
    app: Any = import_module("lms_bot.app").get_app()
    part: T = app.get_part(kind)
    return part
