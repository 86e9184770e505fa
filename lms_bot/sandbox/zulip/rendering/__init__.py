"""Zulip's markdown to HTML, as a server renders it.

It stands on the library a Zulip server stands on, with the same rules switched on: no backslash escapes, no
raw HTML, no underscores for emphasis; mentions, channels, local times, spoilers and images on top. What it
does otherwise than a server: formulas are not typeset and code is not coloured, only the most usual endings
make a domain out of words with dots, only the most usual emoji are known, and organizations have no groups,
linkifiers or previews of web pages.
"""

from lms_bot.sandbox.zulip.rendering.known import Known
from lms_bot.sandbox.zulip.rendering.render import render

__all__ = ["Known", "render"]
