"""Who the bot is in Zulip: what a zuliprc, the environment, or a client of the framework's says."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lms_bot.core.errors import ConfigError

if TYPE_CHECKING:
    import zulip


@dataclass(frozen=True)
class Credentials:
    """What a zuliprc says, to make one client per thread of."""

    email: str
    api_key: str
    site: str
    insecure: bool = False
    cert_bundle: str | None = None
    client_cert: str | None = None
    client_cert_key: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(email={self.email!r}, site={self.site!r})"

    @classmethod
    def of_client(cls, client: zulip.Client) -> Credentials:
        """Those of the client the framework made, so that nobody has to name the zuliprc twice."""
        verification = client.tls_verification
        return cls(
            email=client.email,
            api_key=client.api_key,
            site=client.base_url.removesuffix("/").removesuffix("/api"),
            insecure=verification is False,
            cert_bundle=verification if isinstance(verification, str) else None,
            client_cert=client.client_cert,
            client_cert_key=client.client_cert_key,
        )


def find_credentials(zuliprc: Path | None = None) -> Credentials | None:
    """Those of the given zuliprc, else of ZULIP_* in the environment, else of ~/.zuliprc, else None."""
    environ = os.environ
    if zuliprc is None and {"ZULIP_EMAIL", "ZULIP_API_KEY", "ZULIP_SITE"} <= environ.keys():
        return Credentials(environ["ZULIP_EMAIL"], environ["ZULIP_API_KEY"], environ["ZULIP_SITE"])
    path = zuliprc or Path(environ.get("ZULIP_CONFIG", "~/.zuliprc")).expanduser()
    if zuliprc is None and not path.exists():
        return None
    return read_zuliprc(path)


def read_zuliprc(path: Path) -> Credentials:
    """Raises ConfigError where the file is not a zuliprc."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        section = dict(parser["api"])
        return Credentials(
            email=section["email"],
            api_key=section["key"],
            site=section["site"],
            insecure=section.get("insecure", "").strip().lower() in ("true", "yes", "1"),
            cert_bundle=section.get("cert_bundle"),
            client_cert=section.get("client_cert"),
            client_cert_key=section.get("client_cert_key"),
        )
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        problem = f"{path}: is no zuliprc; it needs a section [api] with email, key and site"
        raise ConfigError([problem]) from error
