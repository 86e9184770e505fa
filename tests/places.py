"""Where things lie, the checkout, the package in it and the recordings beside it; and how much is tried."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "lms_bot"
FIXTURES = PACKAGE / "fixtures"
RECORDINGS = Path(os.environ.get("LMS_BOT_ZULIP_RECORDINGS") or REPOSITORY.parent / "shared" / "zulip")

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
"""Whether tests that repeat themselves do so as often as is worth a night, rather than as the gate has time for."""
