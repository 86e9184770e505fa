"""Read-only questions to the store that the commands ask. Numbers and rows out, no text.

Call them inside `Store.session()`, after `Counters.catch_up`: what is not counted yet is missing from the counts.
What an answer costs follows the students it is about, not how many events are stored.
"""

from lms_bot.insight.reports.attention import Attention, Flag, LastResult, get_attention
from lms_bot.insight.reports.counting import (
    StudentSummary,
    SummaryPage,
    Totals,
    get_counts_by_type,
    get_summary,
    get_week_counts,
)
from lms_bot.insight.reports.outgoing import (
    ErrorGroup,
    RejectedGroup,
    Unwritten,
    Waiting,
    count_dead,
    count_unsent,
    get_error_groups,
    get_moment,
    get_rejected_groups,
    get_stored_ids,
    get_undecided,
    get_unwritten,
    get_waiting,
)
from lms_bot.insight.reports.students import (
    History,
    StoredStudent,
    count_left_open,
    get_attempts,
    get_history,
    get_last_events,
    get_stored_students,
    get_totals_of_students,
)
from lms_bot.insight.reports.titles import (
    FoundTitle,
    Taker,
    count_titles,
    find_similar_titles,
    find_titles,
    get_takers,
)

__all__ = [
    "Attention",
    "ErrorGroup",
    "Flag",
    "FoundTitle",
    "History",
    "LastResult",
    "RejectedGroup",
    "StoredStudent",
    "StudentSummary",
    "SummaryPage",
    "Taker",
    "Totals",
    "Unwritten",
    "Waiting",
    "count_dead",
    "count_left_open",
    "count_titles",
    "count_unsent",
    "find_similar_titles",
    "find_titles",
    "get_attempts",
    "get_attention",
    "get_counts_by_type",
    "get_error_groups",
    "get_history",
    "get_last_events",
    "get_moment",
    "get_rejected_groups",
    "get_stored_ids",
    "get_stored_students",
    "get_summary",
    "get_takers",
    "get_totals_of_students",
    "get_undecided",
    "get_unwritten",
    "get_waiting",
    "get_week_counts",
]
