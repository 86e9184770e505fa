"""An LMS in a box: a private PostgreSQL server, the LMS's tables in it, and the things that happen in a school.

Tests and the demo write here as an LMS would (`school`, and `sample` for people and a history); the bot only reads.
It knows nothing of Zulip or the bot, and leaves no process and no file (`postgres`).
"""
