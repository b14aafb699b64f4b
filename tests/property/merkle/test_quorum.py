"""A policy's quorum and its time, against a reference written from the specification's words."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from tallystick.merkle.keys import COSIGNATURE_V1, VerifierKey
from tallystick.merkle.policy import LogPolicy

from ...unit.merkle.signers import Signer

KEYS: list[VerifierKey] = [Signer(f"witness.example/{number}", COSIGNATURE_V1).key for number in range(6)]


@st.composite
def policies(draw: st.DrawFn) -> tuple[LogPolicy, Mapping[str, tuple[int, list[str]]]]:
    """Draw a policy of six witnesses and some groups, each name in one group at the most; and the groups by name."""
    free, groups = [f"w{number}" for number in range(len(KEYS))], {}
    lines = [f"witness w{number} {key}" for number, key in enumerate(KEYS)]
    for number in range(draw(st.integers(0, 3))):
        if not free:
            break
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        threshold = draw(st.integers(1, len(members)))
        free = [*(name for name in free if name not in members), f"g{number}"]
        groups[f"g{number}"] = (threshold, members)
        lines.append(f"group g{number} {threshold} {' '.join(members)}")
    quorum = draw(st.sampled_from([*(f"w{number}" for number in range(len(KEYS))), *groups]))
    return LogPolicy.parse("".join(f"{line}\n" for line in [*lines, f"quorum {quorum}"]).encode()), groups


def satisfied(name: str, cosigned: set[str], groups: Mapping[str, tuple[int, list[str]]]) -> bool:
    """Say whether a witness or group has witnessed."""
    if name not in groups:
        return name in cosigned
    threshold, members = groups[name]
    return sum(satisfied(member, cosigned, groups) for member in members) >= threshold


@given(policies(), st.dictionaries(st.sampled_from([f"w{number}" for number in range(8)]), st.integers(1, 9)))
def test_the_quorums_time_is_the_latest_that_makes_one(
    drawn: tuple[LogPolicy, Mapping[str, tuple[int, list[str]]]], times: dict[str, int]
) -> None:
    """Of all times, the latest such that those who cosigned then or later satisfy the quorum; none if not even all do."""
    policy, groups = drawn
    assert policy.quorum is not None
    enough = [
        time_s
        for time_s in range(1, 10)
        if satisfied(policy.quorum, {name for name, at_s in times.items() if at_s >= time_s}, groups)
    ]
    assert policy.quorum_time_s(times) == (max(enough) if enough else None)
    assert policy.has_quorum(times) == satisfied(policy.quorum, set(times), groups)
