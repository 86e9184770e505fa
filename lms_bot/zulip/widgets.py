"""Buttons as Zulip has them: a widget that goes along with a message.

Zulip's web and desktop apps show the widget in place of the message's text; all other clients know the text alone.
A message with a widget cannot be edited. https://zulip.readthedocs.io/en/latest/subsystems/widgets.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def make_choices(heading: str, choices: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """`widget_content` for buttons under a heading: of each what is on it, what is beside it, and what a click sends.

    All of it is shown as plain text.
    """
    shown = [
        {"type": "multiple_choice", "short_name": label, "long_name": meaning, "reply": reply}
        for label, meaning, reply in choices
    ]
    return {"widget_type": "zform", "extra_data": {"type": "choices", "heading": heading, "choices": shown}}
