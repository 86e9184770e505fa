"""What people choose to be told, and when. Each answer says what it did and what that means."""

from lms_bot.chat.commands.preferences import muting, notify, quiet, settings

COMMANDS = (*notify.COMMANDS, *muting.COMMANDS, *quiet.COMMANDS, *settings.COMMANDS)
