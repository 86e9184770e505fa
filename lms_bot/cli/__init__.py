"""The doors a shell opens: words and options in, lines and exit codes out. It decides nothing that the bot does not."""

from lms_bot.cli.commands import main, monitor_lms_activities

__all__ = ["main", "monitor_lms_activities"]
