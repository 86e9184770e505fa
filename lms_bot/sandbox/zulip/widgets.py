"""Widgets that come with messages: what a real server accepts as one, and how it keeps it."""

from __future__ import annotations

import json
from typing import Any

from lms_bot.sandbox.zulip.refusals import Refusal


def read_widget(given: str | None) -> str | None:
    """`widget_content` as it is kept, None where there is none. Refused in a real server's words."""
    if given is None:
        return None
    try:
        widget = json.loads(given)
    except ValueError:
        raise Refusal("Widgets: API programmer sent invalid JSON content") from None
    _check(isinstance(widget, dict), "widget_content is not a dict")
    for key in ("widget_type", "extra_data"):
        _check(key in widget, f"{key} is not in widget_content")
    kind, extra_data = widget["widget_type"], widget["extra_data"]
    _check(isinstance(extra_data, dict), "extra_data is not a dict")
    _check(kind == "zform", f"unknown widget type: {kind}")
    _check_form(extra_data)
    return json.dumps({"widget_type": kind, "extra_data": extra_data})


def _check_form(form: dict[str, Any]) -> None:
    _check("type" in form, "zform is missing type field")
    _check(form["type"] == "choices", f"unknown zform type: {form['type']}")
    _check_texts(form, "extra_data", "heading")
    _check("choices" in form, "choices key is missing from extra_data")
    _check(isinstance(form["choices"], list), 'extra_data["choices"] is not a list')
    for number, choice in enumerate(form["choices"]):
        _check_texts(choice, f'extra_data["choices"][{number}]', "short_name", "long_name", "reply")


def _check_texts(found: Any, name: str, *keys: str) -> None:
    _check(isinstance(found, dict), f"{name} is not a dict")
    for key in keys:
        _check(key in found, f"{key} key is missing from {name}")
        _check(isinstance(found[key], str), f'{name}["{key}"] is not a string')


def _check(is_right: bool, complaint: str) -> None:
    if not is_right:
        raise Refusal(f"Widgets: {complaint}")
