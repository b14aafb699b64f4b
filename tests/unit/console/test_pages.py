"""What pages say, rendered without a service."""

from types import SimpleNamespace

import pytest

from tallystick.audit.console.governance import _deciding, _subjects
from tallystick.audit.console.history import Seen
from tallystick.audit.console.overview import _rate
from tallystick.audit.console.pages import page
from tallystick.audit.console.session import _inside
from tallystick.audit.console.telling import tell
from tallystick.audit.entries import parse_decision
from tallystick.contracts import Contribution, Explanation, Report
from tallystick.trust.governance import replay

from ..trust.helpers import World, trust_policy


def _told(world: World, *groups: str) -> str:
    log, index = world.logged()
    governance = replay(world.governance_log().entries, trust_policy())
    told = tell(parse_decision(index, log.entries[index]), governance, world.openings(*groups))
    body = page(
        "decision.html",
        name="t1",
        told=told,
        log=SimpleNamespace(name="decisions"),
        size=9,
        others=(),
        missing="",
        bundle="/console/decisions/t1/bundle",
        whole=True,
    ).body
    return bytes(body).decode()


def test_a_decision_in_plain_words() -> None:
    """Outcome, reason, model, policy, approvers; of the evidence what moved the margin, with the values that were seen."""
    explained = Explanation(
        contributions=[Contribution(feature="amount", margin=1.5), Contribution(feature="count_7d", margin=-0.25)]
    )
    html = _told(World(contents={"explanation": explained.SerializeToString()}), "features", "explanation", "identity")
    for words in (
        "Declined",
        "refused as suspected fraud",
        "very likely to be fraud",
        "fraud 1",
        "standard 1",
        "ada and bob",
        "amount = 12.5",
        "amount added +1.500; count_7d added -0.250",
        "924",
        "c1",
    ):
        assert words in html


@pytest.mark.parametrize(("margin", "title"), [(-3.0, "Approved"), (1.0, "Held for review"), (2.5, "Declined")])
def test_each_outcome_has_its_title(margin: float, title: str) -> None:
    """What is not disclosed is not made up."""
    html = _told(World(margin=margin))
    assert f"</span>{title}</h1>" in html
    assert "Customer" not in html


def test_text_of_others_stays_text() -> None:
    """A customer's id that looks like markup is shown as it is written."""
    world = World()
    html = _told(World(contents={"identity": world.contents["identity"].replace(b"c1", b"<b")}), "identity")
    assert "&lt;b" in html
    assert "<dd><b" not in html


def test_reports_are_plotted_over_time() -> None:
    """A plot for each figure of each subject, and the newest finding first, in its words."""
    found = [
        (7, Report(subject="drift", from_ms=0, to_ms=1_000, figures={"psi": 0.1}, summary="calm")),
        (9, Report(subject="drift", from_ms=1_000, to_ms=2_000, figures={"psi": 0.4}, summary="<restless>")),
        (10, Report(subject="fairness", from_ms=0, to_ms=1_000, figures={}, summary="even")),
    ]
    subjects = _subjects(found)
    assert list(subjects) == ["drift", "fairness"]
    assert list(subjects["drift"][0]) == ["psi"]
    html = bytes(page("reports.html", subjects=subjects).body).decode()
    assert html.index("&lt;restless&gt;") < html.index("calm")
    assert "From 0 to 0.4" in html


def test_no_reports() -> None:
    """Without a monitor the page says so."""
    assert "No monitor has logged a report yet." in bytes(page("reports.html", subjects={}).body).decode()


def test_which_activation_decides_now() -> None:
    """The newest whose time has come."""
    activations = replay(World().governance_log().entries, trust_policy()).activations
    at_s = activations[0].effective_at_ms / 1000
    assert _deciding(activations, at_s) == 2
    assert _deciding(activations, at_s - 1) is None


def test_growth_is_over_the_time_that_was_seen() -> None:
    """Entries a second between the first look and the last; one look tells nothing."""
    assert _rate([Seen(10, 100), Seen(20, 150)]) == 5
    assert _rate([Seen(10, 100)]) == 0


@pytest.mark.parametrize("address", ["https://example.com/", "//example.com", "/console//x", "/console/../v1", "/v1/logs", ""])
def test_nobody_is_sent_elsewhere(address: str) -> None:
    """What is not below the console is not gone to."""
    assert _inside(address) == "/console/"
    assert _inside("/console/decisions/a%2Fb") == "/console/decisions/a%2Fb"
