"""What was known of a student when a result came. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SoFar:
    """Of one exam result: how it stands among the student's others, as far as the LMS says.

    `tries` counts the tries at this exam up to this one, `before` is the percentage of the one before, None where
    there is none or it is not known. `failures_in_row` are the latest results, up to this one, that are failures;
    `failures_of_exam` those of this exam since it was passed last. `is_recovery`: passed after having failed it.
    """

    tries: int = 1
    before: float | None = None
    failures_in_row: int = 0
    failures_of_exam: int = 0
    is_recovery: bool = False
