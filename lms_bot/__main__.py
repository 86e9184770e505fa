"""`python -m lms_bot` is `lms-bot`."""

from lms_bot.cli import main

main(prog_name="lms-bot")
