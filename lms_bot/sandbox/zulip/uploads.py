"""Uploaded files of the sandbox Zulip, and who may read them."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from lms_bot.sandbox.zulip.organization import Organization
from lms_bot.sandbox.zulip.people import SandboxPerson
from lms_bot.sandbox.zulip.refusals import Refusal

MAX_UPLOAD_MIB = 25
TEMPORARY_SECONDS = 60
PREFIX = "/user_uploads/"
_TEMPORARY = PREFIX + "temporary/"
# No other kind is named as such: what a browser does not know it does not open.
_CONTENT_TYPES = {".csv": "text/csv", ".png": "image/png", ".txt": "text/plain"}
_SHOWN_INLINE = ("image/png",)


@dataclass(frozen=True)
class Upload:
    path: str
    name: str
    content: bytes
    owner_id: int

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES.get(PurePosixPath(self.name).suffix.lower(), "application/octet-stream")

    @property
    def disposition(self) -> str:
        kind = "inline" if self.content_type in _SHOWN_INLINE else "attachment"
        plain = f'filename="{self.name}"' if self.name.isascii() else f"filename*=utf-8''{quote(self.name)}"
        return f"{kind}; {plain}"


class Uploads:
    """Files by path. A file is for its owner, and for whoever has a message that links to it."""

    def __init__(self, organization: Organization, now: Callable[[], float]) -> None:
        self._organization = organization
        self._now = now
        self._lock = threading.Lock()
        self._uploads: dict[str, Upload] = {}
        self._temporary: dict[str, tuple[Upload, float]] = {}

    def add(self, owner: SandboxPerson, name: str, content: bytes) -> Upload:
        if len(content) > MAX_UPLOAD_MIB * 1024 * 1024:
            raise Refusal(f"Uploaded file is larger than the allowed limit of {MAX_UPLOAD_MIB} MiB")
        name = clean_file_name(name)
        path = f"{PREFIX}2/{secrets.token_hex(1)}/{secrets.token_urlsafe(18)}/{name}"
        upload = Upload(path, name, content, owner.user_id)
        with self._lock:
            self._uploads[path] = upload
        return upload

    def find(self, path: str) -> Upload | None:
        return self._uploads.get(path)

    def may_read(self, person: SandboxPerson, upload: Upload) -> bool:
        if person.user_id == upload.owner_id:
            return True
        with self._organization.lock:
            inbox = self._organization.inboxes[person.user_id]
            return any(upload.path in self._organization.messages[message_id].content for message_id in inbox)

    def make_temporary_path(self, upload: Upload) -> str:
        """A path that anybody may read for a minute."""
        path = f"{_TEMPORARY}{secrets.token_hex(32)}/{upload.name}"
        with self._lock:
            self._temporary[path] = upload, self._now() + TEMPORARY_SECONDS
        return path

    def find_temporary(self, path: str) -> Upload | None:
        upload, expires_at = self._temporary.get(path, (None, 0.0))
        return upload if self._now() < expires_at else None


def clean_file_name(name: str) -> str:
    """The name as it appears in the path: spaces become dashes, what is no word, dot or dash goes."""
    name = unicodedata.normalize("NFKC", name)
    name = re.sub(r"[^\w\s.-]", "", name).strip()
    name = re.sub(r"[-\s]+", "-", name)
    return name if name.strip(".") else "uploaded-file"
