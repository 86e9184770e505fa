"""The doors a shell opens, `lms-bot` and `monitor_lms_activities`.

Options go in; lines on stdout and stderr and an exit code come out. What is done is done by the rooms below: no
command does here what the bot could not do, and none asks anything back.
"""

from lms_bot.cli.commands import main, monitor_lms_activities

__all__ = ["main", "monitor_lms_activities"]
