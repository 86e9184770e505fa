"""The classes that settings name, in place of ours."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from lms_bot.core.errors import ConfigError
from lms_bot.settings.settings import Settings, collecting

T = TypeVar("T")


def resolve_all(settings: Settings, bases: Mapping[str, type]) -> list[Any]:
    """The classes that these settings name, each its base or below it.

    Raises ConfigError with a line for each that cannot be used.
    """
    found: list[Any] = []
    problems: list[str] = []
    for name, base in bases.items():
        with collecting(problems):
            found.append(resolve(getattr(settings, name), base, name))
    if problems:
        raise ConfigError(problems)
    return found


def resolve(dotted: str, expected_base: type[T], setting_name: str) -> type[T]:
    """The class a dotted path names, `expected_base` or below it. ConfigError names the setting."""
    module_name, _, class_name = dotted.rpartition(".")
    label = f"{setting_name.upper()}: {dotted}"
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except Exception as error:  # a foreign module may raise anything
        raise ConfigError([f"{label}: cannot import: {error} (is it on PYTHONPATH?)"]) from error
    if found is None:
        raise ConfigError([f"{label}: module {module_name} has no {class_name}"])
    if not (isinstance(found, type) and issubclass(found, expected_base)):
        base = f"{expected_base.__module__.partition('.')[0]}.{expected_base.__qualname__}"  # as it is exported
        raise ConfigError([f"{label}: must be a subclass of {base}"])
    return found
