"""Answers of many rows, a page at a time. Pure."""

from __future__ import annotations

from lms_bot.chat.language.question import WrongArguments
from lms_bot.core.markdown import code

PAGE_ROWS = 20


def count_pages(rows_total: int) -> int:
    """How many pages the rows fill; one where there are none."""
    return max(1, -(-rows_total // PAGE_ROWS))


def check_page(page: int, rows_total: int) -> None:
    """Raises WrongArguments where there is no such page."""
    pages = count_pages(rows_total)
    if page > pages:
        raise WrongArguments("There is only one page." if pages == 1 else f"There are only {pages} pages.")


def page_note(page: int, rows_total: int, command: str) -> str:
    """Where one is and how to get on, for example with the command `history john_doe`; "" for a single page."""
    pages = count_pages(rows_total)
    if pages == 1:
        return ""
    if page == pages:
        return f"Page {page} of {pages}, the last."
    return f"Page {page} of {pages}. {code(f'{command} page {page + 1}')} shows the next."
