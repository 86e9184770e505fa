"""Images are shown below the paragraph that links to them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement

from markdown.treeprocessors import Treeprocessor

_ENDINGS = (".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".png", ".webp")
_MOST_LINKS = 24
_CLASS = "message_inline_image"


class InlineImages(Treeprocessor):
    """Each image once, at its first link; none out of quotes, and none where there are very many links."""

    def run(self, root: Element) -> None:
        links = list(_find_links([root]))
        if len({link.get("href") for _, link in links}) > _MOST_LINKS:
            return
        shown = set()
        for ancestors, link in links:
            address = link.get("href", "")
            if address not in shown and _is_image(address):
                shown.add(address)
                _show(ancestors, link)


def _find_links(ancestors: list[Element]) -> Iterator[tuple[list[Element], Element]]:
    """Links in the order of the text, each with the elements that hold it, outermost first."""
    for child in ancestors[-1]:
        if child.tag == "a":
            yield ancestors, child
        elif child.tag != "blockquote":
            yield from _find_links([*ancestors, child])


def _is_image(address: str) -> bool:
    try:
        return urlsplit(address).path.lower().endswith(_ENDINGS)
    except ValueError:
        return False


def _show(ancestors: list[Element], link: Element) -> None:
    address, parent = link.get("href", ""), ancestors[-1]
    image = Element("div", {"class": _CLASS})
    anchor = SubElement(image, "a", {"href": address})
    if link.text != address:
        anchor.set("title", link.text or "")
    SubElement(anchor, "img", {"src": address})
    if parent.tag == "p":
        _insert_after(ancestors[-2], parent, image)
        if _is_all_there_is(parent, link, address):
            ancestors[-2].remove(parent)
    else:
        (parent if parent.tag == "li" else ancestors[0]).append(image)


def _insert_after(holder: Element, paragraph: Element, image: Element) -> None:
    """After the paragraph and the images already shown of it."""
    place = list(holder).index(paragraph) + 1
    while place < len(holder) and holder[place].get("class") == _CLASS:
        place += 1
    holder.insert(place, image)


def _is_all_there_is(paragraph: Element, link: Element, address: str) -> bool:
    """The paragraph is nothing but the bare address."""
    return len(paragraph) == 1 and not (paragraph.text or "").strip() and not link.tail and link.text == address
