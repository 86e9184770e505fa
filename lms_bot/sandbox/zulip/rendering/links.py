"""Where a link may lead, and what becomes one without being marked as such."""

from __future__ import annotations

from string import ascii_lowercase
from urllib.parse import quote, urlsplit, urlunsplit

_SCHEMES = """
    http https ftp file
    bitcoin geo im irc ircs magnet mailto matrix mms news nntp openpgp4fpr sip sms smsto ssh tel urn webcal wtai xmpp
"""
_SAFE_SCHEMES = frozenset(_SCHEMES.split())

_USUAL_ENDINGS = """
    academy aero app arpa asia biz blog cat cloud club com coop dev edu email gov host info int jobs link live mil
    mobi museum name net news online org page post pro pub school shop site space store study tech tel today top
    travel university website wiki work world xyz zone xn--p1ai xn--fiqs8s xn--h2brj9c рф укр 中国 भारत 한국 السعودية
"""
_COUNTRIES = {first + second for first in ascii_lowercase for second in ascii_lowercase}  # nearly all are taken
_FILES = {"md", "py"}
DOMAIN_ENDINGS = frozenset({*_USUAL_ENDINGS.split(), *_COUNTRIES} - _FILES)

_PATH = r"[^\s()\"]*?(?:\([^\s()\"]*\)[^\s()\"]*?)*"
_ENDING = r"[^\s!-,./:-@\[-`{-~]+?"  # no ASCII punctuation but a hyphen
BARE_ADDRESS = rf"""(?x)
    (?<![^\s'"(,:<])
    (?:
        (?: https?://[\w.:@-]+? | (?:[\w-]+\.)+ (?P<ending>{_ENDING}) ) (?:/{_PATH})?
      | [\w.-]+@[\w.-]+\.\w+
      | bitcoin:[13]\w{{25,34}}
    )
    (?= [!:;?),.'">]* (?:\Z|\s) )
"""
"""An address that stands alone between spaces. One that begins with a domain names its ending."""


def clean_address(address: str) -> str | None:
    """Where a link with this address leads; None where it may not. Without a scheme it is http or mailto."""
    try:
        scheme, host, path, query, fragment = urlsplit(address.replace(" ", "%20"))
    except ValueError:
        return ""
    if not scheme and not host:
        if "@" in path:
            return urlunsplit(("mailto", "", path, query, fragment))
        if path.startswith("/"):
            return urlunsplit(("", "", path, query, fragment))
        if not path and not query and fragment:
            return f"#{fragment}"
    if not scheme:
        return clean_address(f"http://{address}")
    return urlunsplit((scheme, host, path, query, fragment)) if scheme in _SAFE_SCHEMES else None


def channel_path(channel_id: int, name: str, topic: str = "") -> str:
    path = f"/#narrow/stream/{channel_id}-{_in_fragment(name.replace(' ', '-'))}"
    return f"{path}/topic/{_in_fragment(topic)}" if topic else path


def _in_fragment(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E").replace("%", ".")
