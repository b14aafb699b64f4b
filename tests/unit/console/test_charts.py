"""Charts: what they draw, what they say to who cannot see it, and that no text of others becomes markup."""

from xml.etree import ElementTree as ET

import pytest

from tallystick.audit.console.charts import Bar, Cell, Point, contributions, element, gauge, plot, strip, when

SVG = "{http://www.w3.org/2000/svg}"


def _parsed(markup: str) -> ET.Element:
    return ET.fromstring(markup)  # noqa: S314  our own


def test_contributions_go_both_ways() -> None:
    """What spoke for fraud lies to the right of the axis, what spoke against it to the left; the largest is the longest."""
    chart = _parsed(contributions([Bar("amount", 12.5, 2.0), Bar("count_7d", None, -1.0)], 2.5))
    up, down = chart.findall("rect")
    assert (up.get("class"), down.get("class")) == ("for", "against")
    assert float(up.get("x", "")) == 440
    assert float(down.get("x", "")) + float(down.get("width", "")) == 440
    assert float(up.get("width", "")) == 2 * float(down.get("width", ""))
    assert chart.get("role") == "img"
    assert chart.get("aria-label") == "What moved the margin, 2.500 in all. amount added +2.000; count_7d added -1.000"
    assert next(text.text for text in chart.findall("text")) == "amount = 12.5"


@pytest.mark.parametrize("bars", [[Bar("a", None, 0.0)], [Bar("a", 1.0, float("1e-30"))]])
def test_nothing_to_compare_with_is_no_division(bars: list[Bar]) -> None:
    """Contributions of nothing still make a picture."""
    assert float(_parsed(contributions(bars, 0.0)).findall("rect")[0].get("width", "")) >= 2


def test_text_stays_text() -> None:
    """A feature's name that looks like markup is shown as it is written."""
    chart = contributions([Bar('<script>"&', None, 1.0)], 1.0)
    assert "<script>" not in chart
    assert '<script>"& added +1.000' in str(_parsed(chart).get("aria-label"))
    assert element("text", {"class_": 'a"b'}, "<b>") == '<text class="a&quot;b">&lt;b&gt;</text>'


def test_gauge_shows_the_score_among_the_thresholds() -> None:
    """The bands are as wide as the policy makes them, and cover the scale."""
    chart = _parsed(gauge(924, 500, 881))
    widths = [float(band.get("width", "")) for band in chart.findall("rect")]
    assert [band.get("class") for band in chart.findall("rect")] == ["approve", "review", "decline"]
    assert sum(widths) == pytest.approx(680, abs=0.2)
    assert widths[0] == 340
    assert "924 of 1000; review from 500, decline from 881." in str(chart.get("aria-label"))


def test_plot_places_points_by_time_and_height() -> None:
    """Later is further right, more is higher up; marks have words."""
    chart = _parsed(plot([Point(0, 0), Point(10, 5), Point(20, 10)], "Growth", "entries", [Point(20, 10, "evm", "c1: 10.")]))
    [path] = chart.findall("path")
    assert path.get("d") == "M84.0 194.0 L373.0 110.0 L662.0 26.0"
    mark = chart.find("circle")
    assert mark is not None
    assert (float(mark.get("cx", "")), float(mark.get("cy", ""))) == (84 + 578, 26)
    assert chart.get("aria-label", "").endswith("c1: 10.")


def test_nothing_to_plot() -> None:
    """Without points there is no picture; with one there is."""
    assert plot([], "Growth", "entries") == ""
    assert _parsed(plot([Point(5, 7)], "Growth", "entries")).findall("path")


def test_strip_is_a_rod_for_each_partition() -> None:
    """The logged part is as long as its share, and what nobody seals is said."""
    chart = _parsed(strip([Cell(0, 100, 50, None), Cell(1, 0, 0, 0)]))
    widths = [float(rod.get("width", "")) for rod in chart.findall("rect")]
    assert widths == [520, 260, 0, 0, 0, 0]
    words = str(chart.get("aria-label"))
    assert "partition 0: 100 decided, 50 logged, no sealer" in words
    assert "partition 1: 0 decided, 0 logged, 0 sealed" in words
    assert "50 (+50 on the way)" in [text.text for text in chart.findall("text")]


@pytest.mark.parametrize(("time_s", "words"), [(0, "1970-01-01 00:00:00"), (1e18, "1000000000000000000 s after 1970")])
def test_when(time_s: float, words: str) -> None:
    """A time that no calendar has is told in seconds."""
    assert when(time_s) == words
