"""Elements of HTML, and the frame of a page.

All text is escaped here and nowhere else, so that what a stranger wrote is never markup.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from twincli.model.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = "/explorer"


class Html(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


class Tag:
    """Makes an element: ``Tag("a", href=...)("text")``; text is escaped, ``Html`` is not."""

    def __init__(self, name: str, **attributes: str) -> None:
        named = "".join(
            f' {key.rstrip("_").replace("_", "-")}="{escape(visible(value))}"'
            for key, value in attributes.items()
        )
        self._start, self._end = f"<{name}{named}>", f"</{name}>"

    def __call__(self, *children: str) -> Html:
        """Return the element around its children."""
        return Html(self._start + "".join(map(_text, children)) + self._end)


def _text(value: str) -> str:
    return value if isinstance(value, Html) else escape(visible(value))


def join(*parts: str) -> Html:
    """Return text and elements one after the other."""
    return Html("".join(map(_text, parts)))


_STYLE = """
:root{color-scheme:light dark;--line:#8883;--soft:#8881;--quiet:GrayText;--mark:#0a62c4;
--warn:#a33c00}
@media(prefers-color-scheme:dark){:root{--mark:#6cb2ff;--warn:#ff9f5f}}
*{box-sizing:border-box}
body{font:1rem/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:0 1rem 3rem}
a{color:var(--mark);text-underline-offset:.15em;text-decoration-thickness:1px}
a:focus-visible,input:focus-visible,button:focus-visible,[tabindex]:focus-visible{
outline:3px solid var(--mark);outline-offset:2px}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;padding:1rem 0;
border-bottom:1px solid var(--line)}
header a{font-weight:700;font-size:1.15rem;text-decoration:none}
form{display:flex;flex:1;min-width:14rem;gap:.5rem}
input,button{font:inherit;padding:.4rem .75rem;border:1px solid var(--line);border-radius:.4rem}
input{flex:1;min-width:0}button{cursor:pointer}
h1{font-size:1.6rem;line-height:1.25;margin:1.5rem 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:2rem 0 .5rem}h3{font-size:1.05rem;margin:1.5rem 0 .25rem}
h4{font-size:1rem;font-weight:400;margin:.75rem 0 .25rem}
h1+p{margin:0 0 1.25rem}.quiet{color:var(--quiet)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.4rem 1rem .4rem 0;
border-bottom:1px solid var(--line)}
thead th{font-weight:400;color:var(--quiet)}tbody th{width:1%;font-weight:400;color:var(--quiet)}
th,time,.number,code[title]{white-space:nowrap}.number{font-variant-numeric:tabular-nums}
td{overflow-wrap:break-word}.list td:last-child{overflow-wrap:anywhere}
tbody tr:hover{background:var(--soft)}td p{margin:0}
code,pre{font:.9em/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap;margin:0}
.struck{text-decoration:line-through}
figure{margin:0}.zoom{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:1.5rem 0 0}
svg{display:block;width:100%;max-width:40rem;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--quiet)}
@media(min-width:40rem){svg text{font-size:7px}}
svg line{stroke:var(--line)}
polyline{fill:none;stroke:var(--mark);stroke-width:1.5;stroke-linejoin:round}
polygon{fill:var(--mark);fill-opacity:.2}
circle{fill:var(--mark)}circle.open{fill:Canvas;stroke:var(--mark)}
svg a:hover rect{fill:var(--mark);fill-opacity:.12}figcaption{color:var(--quiet)}
.warn{font-weight:600;color:var(--warn)}
@media(max-width:36rem){.list thead{position:absolute;left:-99rem}.list :is(tr,td){display:block}
.list tr{border-bottom:1px solid var(--line);padding:.4rem 0}
.list td{border:0;padding:.1rem 0}
.list td:empty{display:none}td[data-l]::before{content:attr(data-l) "  ";color:var(--quiet)}
time{white-space:normal}}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
"""


ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    b'<g fill="none" stroke="#0a62c4" stroke-width="4">'
    b'<circle cx="12" cy="16" r="9"/><circle cx="20" cy="16" r="9"/></g></svg>'
)
"""Two of a kind."""


def document(title: str, heading: str, *body: str) -> str:
    """Return a whole page.

    Args:
        title: Of the window.
        heading: Of the page.
        body: What it holds.
    """
    search = join(
        Tag("label", for_="q", class_="skip")("Search"),
        Html('<input id="q" name="q" type="search" placeholder="words, an id or a key">'),
        Tag("button")("Search"),
    )
    form = Tag("form", action=f"{ROOT}/search", role="search")(search)
    head = join(
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width,initial-scale=1">'),
        Html('<meta name="referrer" content="no-referrer">'),
        Tag("title")(title),
        Tag("style")(Html(_STYLE)),
    )
    skip = Tag("a", href="#main", class_="skip")("To the content")
    header = Tag("header")(Tag("a", href=ROOT)("twin"), form)
    main = Tag("main", id="main")(Tag("h1")(heading), *body)
    whole = Tag("html", lang="en")(Tag("head")(head), Tag("body")(skip, header, main))
    return f"<!doctype html>{whole}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> Html:
    """Return a table, or a sentence if it has no rows."""
    cells = [Tag("td", data_l=header) for header in headers]
    lines = [
        Tag("tr")(*(make(cell) for make, cell in zip(cells, row, strict=True))) for row in rows
    ]
    if not lines:
        return Tag("p")(empty)
    first = Tag("tr")(*(Tag("th", scope="col")(header) for header in headers))
    # A region that scrolls must be reached by keyboard, too.
    return Tag("div", class_="scroll", tabindex="0", role="region", aria_label=", ".join(headers))(
        Tag("table", class_="list")(Tag("thead")(first), Tag("tbody")(*lines))
    )


def facts(pairs: Iterable[tuple[str, str | None]]) -> Html:
    """Return a table of names and values, without those that are None."""
    rows = [
        Tag("tr")(Tag("th", scope="row")(name), Tag("td")(value))
        for name, value in pairs
        if value is not None
    ]
    return Tag("div", class_="scroll")(Tag("table")(Tag("tbody")(*rows)))


def section(title: str, *body: str) -> Html:
    """Return a part of a page under a heading."""
    return join(Tag("h2")(title), *body)
