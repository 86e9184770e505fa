"""The demo's page: somebody is a mentor, clicks for a student, makes trouble, and watches what the bot makes of it.

A browser asks `server`, which asks `backend`; what comes to be is told over server-sent events. What is shown is read
from the LMS, the bot's store and Zulip as they are (`path`, `zulip_client`), never from the bot's code. It serves
this machine only, and loads nothing from elsewhere (`static/`).
"""
