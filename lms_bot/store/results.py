"""Percentage and score of an attempt, out of what the LMS says of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LARGEST_PERCENTAGE = 1000.0  # beyond it is no percentage; sums of such stay finite


def read_result(metadata: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Percentage and score, each None where it cannot be read."""
    percentage = _read_number(metadata.get("percentage"))
    is_sound = percentage is not None and abs(percentage) <= LARGEST_PERCENTAGE
    return percentage if is_sound else None, _read_number(metadata.get("score"))


def _read_number(value: Any) -> float | None:
    """A number, also as text: `85`, `"85"`, `"85,5 %"`."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip().removesuffix("%").replace(",", ".")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
