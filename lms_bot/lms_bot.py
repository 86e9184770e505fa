"""The door zulip-run-bot opens: by path, by name or by registry.

By path, zulip-run-bot puts this file's own folder first on sys.path and loads the file as a module without a
package. There `import lms_bot` would find this very file, so the folder above takes that one's place.
"""

import sys
from pathlib import Path

if not __package__:
    _inner = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != _inner]
    sys.path.insert(0, str(_inner.parent))

from lms_bot.bot import LMSBotHandler as handler_class
from lms_bot.version import __version__

__all__ = ["__version__", "handler_class"]
