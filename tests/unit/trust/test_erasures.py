"""Erasures in the governance log: who may make one, and what it brings about."""

from collections.abc import Callable

import pytest

from tallystick.contracts import EntryKind, Erasure, HoldEvent, LegalHold
from tallystick.trust.erasures import erased_keys, key_id_of, open_erasure, open_hold
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import replay

from .helpers import GOVERNANCE, Log, trust_policy

TOKENS = [bytes([number]) * 16 for number in (1, 2)]


def erasure(**changed: object) -> Erasure:
    """Return an erasure of two keys, with fields changed."""
    sound = {"key_ids": [*map(key_id_of, TOKENS)], "tokens": TOKENS, "requested_at_ms": 1_000, "effective_at_ms": 2_000}
    return Erasure(**(sound | changed))  # type: ignore[arg-type]  # a mapping of fields


def test_an_erasure_says_which_keys_are_gone_and_when() -> None:
    """Ids and dates come out as they went in; a key id is a fixed function of its token."""
    opened = open_erasure(7, erasure().SerializeToString())
    assert opened.key_ids == tuple(map(key_id_of, TOKENS))
    assert (opened.index, opened.requested_at_ms, opened.effective_at_ms) == (7, 1_000, 2_000)
    assert key_id_of(bytes(16)).hex() == "2b40b8e10ce36a04e4bdfd2da3d1a51d"


UNSOUND: dict[str, Callable[[], Erasure]] = {
    "a token is another key's": lambda: erasure(tokens=TOKENS[::-1]),
    "a token is missing": lambda: erasure(tokens=TOKENS[:1]),
    "a token is short": lambda: erasure(tokens=[b"short"], key_ids=[key_id_of(b"short")]),
    "no key": lambda: erasure(tokens=[], key_ids=[]),
    "no date": lambda: erasure(requested_at_ms=0),
    "effective before it was asked for": lambda: erasure(effective_at_ms=999),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_an_erasure_that_nobody_with_the_keys_made_has_no_effect(case: str) -> None:
    """Whoever only knows key ids cannot have keys destroyed: the entry is told, without effect, and the next one counts."""
    log = Log(GOVERNANCE)
    for record in (UNSOUND[case](), erasure()):
        log.append(EntryKind.ENTRY_KIND_ERASURE, record.SerializeToString())
    governance = replay(log.entries, trust_policy())
    assert [index for index, _ in governance.rejected] == [0]
    assert [one.index for one in governance.erasures] == [1]
    assert erased_keys(governance.erasures) == {*map(key_id_of, TOKENS)}


@pytest.mark.parametrize(
    "hold",
    [
        pytest.param(LegalHold(at_ms=1), id="no event"),
        pytest.param(LegalHold(event=HoldEvent.HOLD_EVENT_PLACED), id="no time"),
        pytest.param(LegalHold(at_ms=1, event=HoldEvent.HOLD_EVENT_LIFTED, key_ids=[b"short"]), id="no key id"),
    ],
)
def test_a_legal_hold_is_well_formed(hold: LegalHold) -> None:
    """It says what happened, when, and to which keys, if there were any."""
    with pytest.raises(TrustError):
        open_hold(hold.SerializeToString())
    assert open_hold(LegalHold(at_ms=1, event=HoldEvent.HOLD_EVENT_PLACED).SerializeToString()).at_ms == 1
