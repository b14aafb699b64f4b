"""Model cards as HTML."""

import pytest

from tallystick.audit.console.markdown import to_html

CASES = {
    "heading": ("# fraud 1", "<h3>fraud 1</h3>"),
    "deeper heading": ("## Data\nand text", "<h4>Data</h4>\n<p>and text</p>"),
    "paragraph over lines": ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
    "code": ("File `a.parquet`.", "<p>File <code>a.parquet</code>.</p>"),
    "list": ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
    "table": (
        "| a | b |\n|---|---|\n| 1 | 2 |",
        (
            '<div class="wide"><table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>'
            "<tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>"
        ),
    ),
    "markup": (
        '<img src=x onerror="x"> & `<b>`',
        "<p>&lt;img src=x onerror=&quot;x&quot;&gt; &amp; <code>&lt;b&gt;</code></p>",
    ),
    "a link": ("[a](javascript:b)", "<p>[a](javascript:b)</p>"),
    "nothing": ("", ""),
    "a rule alone": ("|---|", '<div class="wide"><table><thead><tr></tr></thead><tbody></tbody></table></div>'),
}


@pytest.mark.parametrize(("text", "html"), CASES.values(), ids=CASES)
def test_cards(text: str, html: str) -> None:
    """What cards are written in becomes HTML, and nothing else does."""
    assert to_html(text) == html
