"""HTML from texts: everything that is put into a document is escaped here."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence

_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class Markup(str):
    """Text that is HTML already. Only this package makes any."""

    __slots__ = ()


def escaped(value: object) -> str:
    """``value`` as HTML text, good in attributes in double quotes, too. Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    # A control character is no character of an HTML document.
    return html.escape("".join(c if c >= " " or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value)))


def element(name: str, *content: object, **attributes: object) -> Markup:
    """An element; ``_`` in an attribute's name stands for ``-``, a trailing one is dropped (``class_``)."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{''.join(map(escaped, content))}</{name}>")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", numbers: Sequence[int] = ()
) -> Markup:
    """A table that scrolls by itself where it is too wide, by keyboard, too; columns ``numbers`` stand right."""
    right = set(numbers)

    def cell(tag: str, k: int, value: object) -> Markup:
        if isinstance(value, Markup) and value.startswith("<td"):
            return value
        scope = "col" if tag == "th" else None
        return element(tag, value, class_="n" if k in right else None, scope=scope)

    head = element("tr", *(cell("th", k, name) for k, name in enumerate(columns)))
    body = [element("tr", *(cell("td", k, value) for k, value in enumerate(row))) for row in rows]
    inner = [element("caption", caption)] if caption else []
    whole = element("table", *inner, element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption or columns[0])


def section(title: str, *content: object, note: str = "") -> Markup:
    """A part of the document under a heading."""
    name = "part-" + title.lower().replace(" ", "-")
    said = [element("p", note, class_="note")] if note else []
    return element("section", element("h2", title, id=name), *said, *content, aria_labelledby=name)


def script_json(value: object) -> Markup:
    """JSON that may stand in a script element: it cannot end the element, nor begin a comment."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for character, code in _IN_SCRIPT.items():
        text = text.replace(character, code)
    return Markup(text)


def left_out(shown: int, total: int, what: str, how: str) -> str:
    """A sentence that says what a list does not show; "" if it shows all."""
    return f"The {how} {shown:,} of {total:,} {what} are shown." if total > shown else ""
