"""Bundles under random damage, and of random decisions."""

import json
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.trust.bundle import BundleError, verify_bundle

from ...unit.trust.helpers import World, trust_policy

TRUST = trust_policy("notary-clock")
SOUND = World().bundle("features", "explanation")
DOCUMENT = json.loads(SOUND)

margins = st.floats(width=32, allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(margins, st.tuples(margins, margins))
def test_any_margin_makes_a_bundle_that_verifies(margin: float, features: tuple[float, ...]) -> None:
    """Whatever the margin and the features, subnormals and minus zero included."""
    assert isfinite(margin)
    bundle = verify_bundle(World(margin=margin, features=features).bundle("features"), TRUST)
    assert set(bundle.disclosures) == {"features"}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_is_a_bundle_error_and_nothing_else(data: st.DataObject) -> None:
    """Inserting, deleting or replacing bytes never verifies and never crashes."""
    start = data.draw(st.integers(0, len(SOUND)))
    stop = data.draw(st.integers(start, min(start + 40, len(SOUND))))
    damaged = SOUND[:start] + data.draw(st.binary(max_size=40)) + SOUND[stop:]
    try:
        same = json.loads(damaged) == DOCUMENT  # white space may come and go
    except ValueError:
        same = False
    if same:
        return
    with pytest.raises(BundleError):
        verify_bundle(damaged, TRUST)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_other_json_value_anywhere_is_refused(data: st.DataObject) -> None:
    """Each place of the file takes its own kind of value only."""
    document = json.loads(SOUND)
    target: Any = document
    while True:
        place = data.draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target))))
        if not isinstance(target[place], dict | list) or not target[place] or data.draw(st.booleans()):
            break
        target = target[place]
    replacement = data.draw(json_values)
    if json.dumps(target[place]) == json.dumps(replacement) or (place == "disclosures" and replacement == []):
        return
    target[place] = replacement
    with pytest.raises(BundleError):
        verify_bundle(json.dumps(document).encode(), TRUST)
