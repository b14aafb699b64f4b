"""The Markdown of model cards as HTML: headings, paragraphs, tables, lists, code. Pure; everything else stays the text it is.

A card is written by a publisher and shown to auditors, so nothing in it becomes markup of its own: no HTML, links or images.
"""

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby

from markupsafe import Markup

_CODE = re.compile(r"`([^`]+)`")
_RULE = re.compile(r"\|?[\s|:-]+\|?")


def to_html(text: str, top: int = 3) -> Markup:
    """Return a card as HTML, its headings from level `top` down."""
    blocks = (list(lines) for blank, lines in groupby(text.splitlines(), key=lambda line: not line.strip()) if not blank)
    return Markup("\n".join(html for lines in blocks for html in _block(lines, top)))  # noqa: S704  escaped where it is made


def _block(lines: list[str], top: int) -> Iterator[str]:
    if lines[0].startswith("#"):
        title = lines[0].lstrip("#")
        level = min(6, top - 1 + len(lines[0]) - len(title))
        yield f"<h{level}>{_inline(title.strip())}</h{level}>"
        lines = lines[1:]
    if not lines:
        return
    if lines[0].startswith("|"):
        yield _table(lines)
    elif all(line.startswith(("- ", "* ")) for line in lines):
        yield "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    else:
        yield f"<p>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if not _RULE.fullmatch(line)]
    head, *body = rows or [[]]
    header = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in head)
    told = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in body)
    return f'<div class="wide"><table><thead><tr>{header}</tr></thead><tbody>{told}</tbody></table></div>'


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
