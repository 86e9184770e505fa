"""Remembering: the bot's own database."""
