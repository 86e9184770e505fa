"""Remembering: the bot's own database, on SQLite or PostgreSQL.

Rows go in and come out, in sessions and transactions of a `Store`; `counters` keeps sums beside the events. It asks
neither the LMS nor Zulip, formats nothing, and raises StoreUnavailable in place of the drivers' connection errors.
"""
