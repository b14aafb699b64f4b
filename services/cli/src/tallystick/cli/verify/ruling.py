"""A policy's rules and lists, evaluated again on what a bundle discloses; who has none of them pays for nothing here."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tallystick.contracts import PolicyList
from tallystick.trust.bundle import BundleError, VerifiedBundle
from tallystick.trust.features import FeatureSchema
from tallystick.trust.rulings import Ruling, without_mark
from tallystick.verifier.inputs import UnreadableError, read_file

if TYPE_CHECKING:
    from tallystick.rules.lists import MemberList

MAX_LIST_BYTES = 32 << 20
MAX_KEY_BYTES = 100


class RuledAgain(NamedTuple):
    """The ruling, and the names of the lists that could not be asked: of those the decision is believed."""

    ruling: Ruling
    unasked: frozenset[str]


class HiddenError(UnreadableError):
    """The bundle does not disclose what the policy's rules are about."""


def rule_bundle_again(bundle: VerifiedBundle, lists: Path | None = None) -> RuledAgain | None:
    """Return the ruling on a scored bundle's decision, None if its policy has neither rules nor lists.

    Args:
        bundle: a sound one.
        lists: the folder with lists' files and keys, `<SHA-256>.list` and `<SHA-256>.key`; without it none is asked.

    Raises:
        HiddenError: A group is not disclosed that the policy is about.
        UnreadableError: A list cannot be used.
    """
    policy, model = bundle.policy, bundle.model
    if policy is None or model is None or not (policy.rules or policy.lists):
        return None
    # polars alone takes longer to import than everything else here.
    from tallystick.rules.evidence import rule_again
    from tallystick.rules.language import RuleError
    from tallystick.rules.policies import Policy

    names = FeatureSchema.parse(model.feature_schema).names
    members = [None if lists is None else member_list(item, lists) for item in policy.lists]
    try:
        ready = Policy(policy, names, members)
    except RuleError as error:
        raise UnreadableError(f"the logged policy cannot be evaluated: {error}") from error
    if hidden := ready.groups - set(bundle.disclosures):
        raise HiddenError(f"the policy is about {' and '.join(sorted(hidden))}, which the bundle does not disclose")
    unasked = frozenset(item.name for item, member in zip(policy.lists, members, strict=True) if member is None)
    return RuledAgain(rule_again(ready, bundle.decision, bundle.disclosures, len(names), unasked), unasked)


def member_list(stated: PolicyList, folder: Path) -> "MemberList":
    """Return a policy's list from its file and key in a folder. Raises UnreadableError."""
    from tallystick.rules.lists import ListError, MemberList

    name = stated.digest.hex()
    key = read_file(str(folder / f"{name}.key"), MAX_KEY_BYTES)
    try:
        return MemberList(stated, read_file(str(folder / f"{name}.list"), MAX_LIST_BYTES), bytes.fromhex(key.decode("ascii")))
    except (ListError, ValueError) as error:
        raise UnreadableError(f"{folder}/{name}: {error}") from error


def check_ruling(bundle: VerifiedBundle, again: RuledAgain) -> None:
    """Check that the decision says what the policy made of it.

    Raises:
        BundleError: It says something else.
    """
    decision, ruling = bundle.decision, again.ruling
    if (decision.outcome, without_mark(decision.reasons), tuple(decision.applied)) != ruling:
        found, said = (", ".join(names) or "none" for names in (ruling.applied, decision.applied))
        raise BundleError(f"of the policy's rules and lists {found} apply to the evidence, and the decision says {said}")


def told(again: RuledAgain) -> str:
    """Return what was checked, in words."""
    but = f"; on the lists {', '.join(sorted(again.unasked))} the decision is believed" if again.unasked else ""
    return f"the policy's rules, evaluated again on the evidence, apply just as the decision says{but}"
