"""An audit package, verified: from bytes and a trust policy of one's own to decisions that can be relied on.

A package holds the whole governance log, so what a single bundle must leave open is looked at here: that nobody who signed had
been revoked before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from struct import Struct

from tallystick.contracts import EntryKind, Outcome, Report
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.policy import VerifiedCheckpoint
from tallystick.trust.account import NO_COMPLETENESS, REVOKED
from tallystick.trust.bundle import BundleError, VerifiedBundle, verify_bundle
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import Governance, replay
from tallystick.trust.governance_log import check_governance_log
from tallystick.trust.messages import parse_message
from tallystick.trust.packages.archive import read_archive
from tallystick.trust.packages.contents import (
    CASE,
    CHECKPOINT,
    ENTRIES,
    Case,
    PackageError,
    bundle_name,
    check_sums,
    parse_case,
)
from tallystick.trust.packages.named import named_files
from tallystick.trust.packages.sealed import check_seals
from tallystick.trust.packages.views import says
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import open_entry
from tallystick.trust.seals import TRAIL_STEP

_LENGTH = Struct(">H")
_CHECKS = (
    "every file is as SHA256SUMS lists it, and there is no other",
    "the governance log is whole, up to the checkpoint that it signed, and its records follow from each other",
)
_UNCHECKED = (
    "whether the case is complete: what was left out beforehand nobody can see in a package",
    "README.md, and what case.json says was asked for: words",
)

_SEALED_BY_THE_START = (
    f"the sealers' running hash beyond its first {TRAIL_STEP} bytes, but at a seal's last record:"
    " `tallystick completeness` compares whole ones"
)


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    """A package that can be relied on.

    Attributes:
        case: what it is about.
        bundles: its decisions, by rising place.
        governance: what the governance log amounts to, and governance_head up to which checkpoint.
        models: how many model files there are.
        absent: the files that its decisions and its governance log name, and that are not in it; by name.
        sealed: how many of the decisions each sealer of the policy has sealed.
        same_policy: whether the operator's copy of the trust policy says what one's own says.
        checks: what was checked, in plain words, and
        unchecked: what was not.
    """

    case: Case
    bundles: Sequence[VerifiedBundle]
    governance: Governance
    governance_head: VerifiedCheckpoint
    models: int
    absent: Sequence[str]
    sealed: Mapping[str, int]
    same_policy: bool
    checks: list[str]
    unchecked: list[str]


def verify_package(data: bytes, policy: TrustPolicy) -> VerifiedPackage:
    """Verify a package's file under a trust policy, which must not be the package's own.

    Raises:
        TrustError: Anything in it is not as it must be; the message says what.
    """
    files = read_archive(data)
    check_sums(files)
    case = parse_case(files[CASE])
    head, entries = _governance_entries(files, policy)
    governance, own = replay(entries, policy), policy
    policy = replace(policy, log_policy=governance.log_keys.with_retired(policy.log_policy))
    bundles = [_bundle(files, place, governance, policy) for place in case.decisions]
    if extra := _names(files, "bundles/") - {bundle_name(*place) for place in case.decisions}:
        raise PackageError(f"{min(extra)} is in the package, and {CASE} does not name it")
    models = _check_models(files, governance, bundles)
    _check_policies(files, governance)
    _check_reports(files, entries)
    sealed = check_seals(files, [bundle.decision for bundle in bundles], policy)
    return VerifiedPackage(
        case=case,
        bundles=bundles,
        governance=governance,
        governance_head=head,
        models=models,
        absent=sorted(named_files(bundles, entries) - files.keys()),
        sealed=sealed,
        same_policy=_is_same_policy(files, own),
        checks=_checks(case, bundles, models, sealed),
        unchecked=_unchecked(bundles, sealed),
    )


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return a log's entries as one file: each after its big-endian uint16 length."""
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


def _governance_entries(files: Mapping[str, bytes], policy: TrustPolicy) -> tuple[VerifiedCheckpoint, list[bytes]]:
    try:
        head = policy.log_policy.verify_checkpoint(files[CHECKPOINT], policy.governance_origin)
    except ValueError as error:
        raise PackageError(f"{CHECKPOINT} is refused: {error}") from error
    entries, data, at = list[bytes](), files[ENTRIES], 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise PackageError(f"{ENTRIES}: it ends within a length")
        (size,) = _LENGTH.unpack_from(data, at)
        entries.append(data[at + _LENGTH.size : at + _LENGTH.size + size])
        at += _LENGTH.size + size
    frontier = Frontier()
    frontier.append(map(leaf_hash, entries))
    if at != len(data) or (len(entries), frontier.root()) != (head.checkpoint.size, head.checkpoint.root):
        raise PackageError(f"{ENTRIES}: its {len(entries):,} entries are not those that {CHECKPOINT} signs")
    try:
        check_governance_log(entries)
    except TrustError as error:
        raise PackageError(f"{ENTRIES}: {error}") from error
    return head, entries


def _bundle(files: Mapping[str, bytes], place: tuple[int, int], governance: Governance, policy: TrustPolicy) -> VerifiedBundle:
    name = bundle_name(*place)
    if name not in files:
        raise PackageError(f"{name} is missing, which {CASE} names")
    try:
        bundle = verify_bundle(files[name], policy)
    except BundleError as error:
        raise PackageError(f"{name}: {error}") from error
    if (bundle.decision.source_partition, bundle.decision.sequence) != place:
        raise PackageError(f"{name} is of another decision than its name says")
    if bundle.activation is not None and bundle.activation not in governance.activations:
        raise PackageError(f"{name}: its activation {bundle.activation.index} has no effect in the governance log as a whole")
    return bundle


def _check_models(files: Mapping[str, bytes], governance: Governance, bundles: Sequence[VerifiedBundle]) -> int:
    """Check models and cards; return how many models there are."""
    count = 0
    asked = {bundle.decision.model_digest for bundle in bundles if bundle.decision.outcome != Outcome.OUTCOME_REJECTED}
    for name in sorted(_names(files, "models/")):
        digest = bytes.fromhex(name.removeprefix("models/").partition(".")[0])
        if digest not in governance.models:
            raise PackageError(f"{name} is of a model that the governance log does not have")
        if name.endswith(".md"):
            if files[name] != governance.models[digest][1].card.encode():
                raise PackageError(f"{name} is not the card that was published with the model")
        elif sha256(files[name]).digest() != digest:
            raise PackageError(f"{name} is not the model that its name says: its SHA-256 is another")
        elif digest not in asked:
            raise PackageError(f"{name} is of a model that made none of the decisions")
        else:
            count += 1
    return count


def _check_policies(files: Mapping[str, bytes], governance: Governance) -> None:
    for name in sorted(_names(files, "policies/")):
        known = governance.policies.get(bytes.fromhex(name.removeprefix("policies/").partition(".")[0]))
        if known is None or not says(files[name], known[1]):
            raise PackageError(f"{name} is not the policy in the governance log")
    lists = {item.digest for _, statement in governance.policies.values() for item in statement.lists}
    for name in sorted(_names(files, "lists/")):
        digest = bytes.fromhex(name.removeprefix("lists/").partition(".")[0])
        if digest not in lists or sha256(files[name]).digest() != digest:
            raise PackageError(f"{name} is not a list that a policy in the governance log names")


def _check_reports(files: Mapping[str, bytes], entries: Sequence[bytes]) -> None:
    for name in sorted(_names(files, "reports/")):
        index = int(name.removeprefix("reports/").partition(".")[0])
        entry = open_entry(entries[index]) if index < len(entries) else None
        if entry is None or entry.kind != EntryKind.ENTRY_KIND_REPORT:
            raise PackageError(f"{name}: the governance log has no report there")
        if not says(files[name], parse_message(Report, entry.value, "the record")):
            raise PackageError(f"{name} is not the report in the governance log")


def _is_same_policy(files: Mapping[str, bytes], policy: TrustPolicy) -> bool:
    """Tell whether the operator's copy says the same; one that cannot be read says something else."""
    try:
        copy = TrustPolicy.parse(files["trust-policy/log.policy"], files["trust-policy/trust.toml"])
    except TrustError:
        return False
    return copy == policy


def _names(files: Mapping[str, bytes], folder: str) -> set[str]:
    return {name for name in files if name.startswith(folder)}


def _checks(case: Case, bundles: Sequence[VerifiedBundle], models: int, sealed: Mapping[str, int]) -> list[str]:
    out = [*_CHECKS]
    if bundles:
        out.append(
            f"each of the {len(bundles):,} decisions is in its log, under an activation that the governance log bears out"
        )
        out.append(f"what is disclosed of evidence ({', '.join(case.groups) or 'nothing'}) opens the decisions' commitments")
    if models:
        out.append(f"the {models:,} model files are those that made the decisions; `tallystick replay` executes them again")
    out += [
        f"up to {count:,} of the decisions {sealer} read what they were made on" for sealer, count in sealed.items() if count
    ]
    return out


def _unchecked(bundles: Sequence[VerifiedBundle], sealed: Mapping[str, int]) -> list[str]:
    """Return what no bundle checked, each once, but what the package as a whole has shown."""
    is_sealed = bool(bundles) and len(bundles) in sealed.values()
    shown = {REVOKED, NO_COMPLETENESS} if is_sealed else {REVOKED}
    left_open = dict.fromkeys(left for bundle in bundles for left in bundle.unchecked if left not in shown)
    unread = [
        f"what {sealer} read of the input: no seal of its on {len(bundles) - count:,} of the decisions counts here"
        for sealer, count in sealed.items()
        if count < len(bundles)
    ]
    return [*left_open, *([_SEALED_BY_THE_START] if any(sealed.values()) else []), *unread, *_UNCHECKED]
