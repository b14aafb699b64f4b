"""Random histories of enrolling, revoking and activating by random people, against a reference as plain as the rules."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import EntryKind
from tallystick.trust.bundle import BundleError, verify_bundle
from tallystick.trust.bundle_format import GovernanceProofs, encode_bundle
from tallystick.trust.enrolments import needed
from tallystick.trust.governance import replay

from ...unit.trust.helpers import (
    GOVERNANCE,
    Log,
    World,
    activation,
    activation_statement,
    enrolment,
    model_statement,
    model_version,
    policy_digest,
    policy_statement,
    policy_version,
    public,
    trust_policy,
)

TRUST = trust_policy()
FOUNDERS = {"ada": {"publisher", "approver"}, "bob": {"approver"}, "cyd": {"approver"}, "pat": {"publisher"}}
NAMES = [*FOUNDERS, "dan", "eve", "fay"]
ROLES = [[], ["approver"], ["publisher"], ["approver", "publisher"]]
MODEL, POLICY = model_statement(), policy_statement()
FIRST = 2
"""The index of the first random record: a model and a policy come before it."""


class Enrol(NamedTuple):
    """Give `name`, with the key of `owner`, roles; `behind`: so many enrolments of theirs before the last is superseded."""

    name: str
    owner: str
    roles: list[str]
    signers: tuple[str, ...]
    behind: int


class Activate(NamedTuple):
    """Activate the model again; `skip` is added to the right number."""

    signers: tuple[str, ...]
    skip: int


Step = tuple[str, str, list[str], tuple[str | int, ...], int, bool]
"""Name, owner of the key, roles, signers (a number: that approver of the moment), error in counting; or activate."""

# Mostly sound, so that histories get somewhere; each part is wrong often enough.
signers = st.sampled_from([(0, 1), (1, 2), (0, 2), (2, 3), (1, 0)] * 3 + [(0, 0), (0,), (), (0, 1, 2)]) | st.lists(
    st.sampled_from(NAMES), max_size=3
).map(tuple)
people = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from([name] * 9 + NAMES)))
steps: st.SearchStrategy[Step] = st.builds(
    lambda who, roles, by, wrong, activates: (*who, roles, by, wrong, activates),
    people,
    st.sampled_from(ROLES),
    signers,
    st.sampled_from([0] * 9 + [1]),
    st.sampled_from([False, False, True]),
)
histories = st.lists(steps, min_size=3, max_size=14)


@dataclass
class Reference:
    """The rules, read aloud: everything accepted is kept, and every question is answered by looking through all of it."""

    accepted: dict[int, Enrol] = field(default_factory=dict)
    activated: list[int] = field(default_factory=list)

    def roles(self, name: str) -> set[str]:
        """Return what was said last of somebody."""
        mine = [item for _, item in sorted(self.accepted.items()) if item.name == name]
        return set(mine[-1].roles) if mine else FOUNDERS.get(name, set())

    def known(self) -> dict[str, str]:
        """Return whose key each name has."""
        return {name: name for name in FOUNDERS} | {item.name: item.owner for item in self.accepted.values()}

    def two_approve(self, by: tuple[str, ...]) -> bool:
        """Say whether these are two or more different approvers, each signing with the key that they are known by."""
        good = len(set(by)) == len(by) >= 2
        return good and all("approver" in self.roles(name) and self.known().get(name) == name for name in by)

    def allows(self, item: Enrol, superseded: int | None) -> bool:
        """Say whether an enrolment counts now."""
        mine = [index for index, other in sorted(self.accepted.items()) if other.name == item.name]
        known = self.known()
        if not self.two_approve(item.signers) or item.name in item.signers:
            return False
        if superseded != (mine[-1] if mine else None) or self.roles(item.name) == set(item.roles):
            return False
        if item.name in known:
            return known[item.name] == item.owner
        return item.owner not in known.values() and item.roles != []


def run(history: list[Step]) -> tuple[Log, Reference]:
    """Log a history, and what the reference makes of it."""
    log, reference = Log(GOVERNANCE), Reference()
    log.append(EntryKind.ENTRY_KIND_MODEL_VERSION, model_version(MODEL))
    log.append(EntryKind.ENTRY_KIND_POLICY_VERSION, policy_version(POLICY))
    for index, (name, owner, roles, by, wrong, activates) in enumerate(history, start=FIRST):
        approvers = sorted(name for name in reference.known() if "approver" in reference.roles(name))
        who = tuple(approvers[one % len(approvers)] if isinstance(one, int) else one for one in by)
        item = Activate(who, wrong) if activates else Enrol(name, owner, roles, who, wrong)
        if isinstance(item, Enrol):
            mine = [None, *(at for at, other in sorted(reference.accepted.items()) if other.name == item.name)]
            superseded = mine[max(len(mine) - 1 - item.behind, 0)]
            record = enrolment(
                item.name, item.roles, *(item.signers or ("",)), superseded=superseded, public_key=public(item.owner)
            )
            log.append(EntryKind.ENTRY_KIND_ENROLMENT, record)
            if reference.allows(item, superseded):
                reference.accepted[index] = item
        else:
            number = len(reference.activated)
            changes: dict[str, Any] = {"number": number + item.skip}
            if number + item.skip:
                changes["superseded_index"] = reference.activated[-1] if reference.activated else 0
            statement = activation_statement(MODEL.digest, policy_digest(POLICY), **changes)
            log.append(EntryKind.ENTRY_KIND_ACTIVATION, activation(statement, *(item.signers or ("",))))
            if reference.two_approve(item.signers) and not item.skip:
                reference.activated.append(index)
    return log, reference


@settings(max_examples=150, deadline=None)
@given(histories)
def test_replay_agrees_with_the_rules_read_aloud(history: list[Step]) -> None:
    """The same entries count, the same people hold the same roles, nobody has two names, and two approvers always remain."""
    log, reference = run(history)
    governance = replay(log.entries, TRUST)
    assert [item.index for item in governance.enrolments] == sorted(reference.accepted)
    assert [item.index for item in governance.activations] == reference.activated
    assert {index for index, _ in governance.rejected} == (
        set(range(FIRST, FIRST + len(history))) - set(reference.accepted) - set(reference.activated)
    )
    roster = governance.roster
    assert {name: set(signer.roles) for name, signer in roster.people.items()} == {
        name: reference.roles(name) for name in reference.known()
    }
    assert {name: signer.public_key for name, signer in roster.people.items()} == {
        name: public(owner) for name, owner in reference.known().items()
    }
    assert len({signer.public_key for signer in roster.signers}) == len(roster.signers)
    assert len(roster.holding("approver")) >= 2


@settings(max_examples=60, deadline=None)
@given(histories)
def test_what_a_bundle_shows_of_a_history_is_enough_and_nothing_is_too_much(history: list[Step]) -> None:
    """For every activation, the enrolments that are needed verify by themselves, and without any one of them nothing does."""
    log, _ = run(history)
    governance = replay(log.entries, TRUST)
    for taken in governance.activations:
        indexes = sorted(needed(governance.enrolments, taken.approvers, taken.index))
        world = World()
        world.decision.activation_index = taken.index

        def bundle(shown: list[int], world: World = world, at: int = taken.index) -> bytes:
            proofs = world.proofs(governance=log)
            entries = tuple(log.prove(index) for index in shown)
            governed = GovernanceProofs(log.checkpoint(), log.prove(0), log.prove(1), log.prove(at), entries)
            return encode_bundle(type(proofs)(proofs.decision, proofs.checkpoint, governed))

        verified = verify_bundle(bundle(indexes), TRUST)
        assert verified.governance is not None
        assert [item.index for item in verified.governance.enrolments] == indexes
        roles = {item.index: item.statement for item in governance.enrolments}
        for missing in indexes:
            later = any(roles[other].signer == roles[missing].signer for other in indexes if other > missing)
            if (
                later or roles[missing].signer not in FOUNDERS
            ):  # a founder's revocation left out goes unseen: `unchecked` says so
                try:
                    verify_bundle(bundle([index for index in indexes if index != missing]), TRUST)
                except BundleError:
                    continue
                raise AssertionError(f"verified without {missing}")
        assert all(first < second for first, second in pairwise(indexes))
