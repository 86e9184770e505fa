"""A Zulip in a box: real HTTP on 127.0.0.1, made-up people, and faults at will.

What a bot and its people ask over Zulip's API goes in, what a real server would answer comes out; tests and the demo
play people through `SandboxZulip`. It knows nothing of the bot or the LMS, and keeps nothing on disk.

From the door inwards: `sandbox_zulip` (the public class), `http` (the socket), `application` (sign-in, limits,
faults), `routes` and `routes_people` (the API), `realm` (what happens), `organization` (what there is), `rendering`
(markdown to HTML).
"""

from __future__ import annotations

from lms_bot.sandbox.zulip.application import SandboxRequest
from lms_bot.sandbox.zulip.faults import Fault, Faults
from lms_bot.sandbox.zulip.people import SandboxMessage, SandboxPerson
from lms_bot.sandbox.zulip.sandbox_zulip import SandboxZulip

__all__ = ["Fault", "Faults", "SandboxMessage", "SandboxPerson", "SandboxRequest", "SandboxZulip"]
