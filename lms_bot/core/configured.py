"""Where a public class gets the parts that nobody handed it: from the configured app. No other place looks it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_finders: list[Callable[[type], Any]] = []


def look_up_with(find: Callable[[type], Any]) -> None:
    """`find` gives the part of a type: said by the package's door, so that nothing but doors depends on the app."""
    _finders[:] = [find]


def get_configured(kind: type[T]) -> T:
    """The part of this type of the configured app. Raises ConfigError where there is none: see `app.get_app`."""
    part: T = _finders[-1](kind)
    return part
