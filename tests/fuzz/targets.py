"""What is fuzzed: every parser and verifier that bytes from outside reach.

A target takes any bytes and returns. It raises only if something is wrong with the product: an error other than its own, a
verdict that the naive reference does not share, or something accepted that nobody signed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from google.protobuf.json_format import MessageToJson

from tallystick.contracts import (
    ActivationStatement,
    Decision,
    EnrolmentStatement,
    EntryKind,
    Explanation,
    FeatureVector,
    Identity,
    IncidentStatement,
    LogEntry,
    ModelStatement,
    PolicyStatement,
    TransactionDetails,
)
from tallystick.gateway.iso20022 import Iso20022Error, payments
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proof_files import ProofFile, verify_proof_file
from tallystick.merkle.proofs import consistency_root, inclusion_root
from tallystick.merkle.receipts import InclusionReceipt, parse_receipt, verify_consistency_receipt, verify_inclusion_receipt
from tallystick.trust.bundle import BundleError, verify_bundle
from tallystick.trust.decisions import check_decision
from tallystick.trust.errors import TrustError
from tallystick.trust.fallbacks import open_fallback
from tallystick.trust.features import FeatureSchema
from tallystick.trust.log_proofs import verify_log_proof
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.profiles.entries import EntryError, read_label, read_transaction
from tallystick.trust.records import open_activation, open_entry, open_model, open_policy
from tallystick.trust.seals import SealHistory, open_seal
from tallystick.trust.strict_json import parse_object

from ..property.merkle import reference, samples
from ..property.merkle.formats import FORMATS, verdict
from ..property.merkle.reference import RefusedError
from ..unit.gateway import test_iso20022
from ..unit.sealer import input as sealed
from ..unit.trust import helpers, test_fallbacks, test_profile_entries
from . import anchoring, policies, witnessing

Run = Callable[[bytes], None]


class DefectError(AssertionError):
    """A target found something wrong."""


@dataclass(frozen=True)
class Target:
    """One target, and bytes to begin with; `json` if they are JSON documents, which are changed in their structure, too."""

    run: Run
    seeds: Sequence[bytes]
    json: bool = False

    @property
    def max_bytes(self) -> int:
        """How long an input may be: 4 KiB, but every JSON document whole."""
        return max([4096, *(2 * len(seed) for seed in self.seeds if self.json)])


def _agree(ours: object, naive: object) -> None:
    if ours != naive:
        raise DefectError(f"ours: {ours!r}\nthe reference: {naive!r}")


def _format(name: str) -> Target:
    seeds, ours, naive = FORMATS[name]
    return Target(lambda data: _agree(verdict(ours, data, MerkleError), verdict(naive, data, RefusedError)), seeds)


def _proofs(data: bytes) -> None:
    """Read: 1 byte (odd: consistency), two sizes of 8 bytes, a hash, and the path; hold the root against the reference's."""
    a, b = int.from_bytes(data[1:9], "big"), int.from_bytes(data[9:17], "big")
    start, rest = data[17:49], data[49:]
    path = [rest[at : at + 32] for at in range(0, len(rest), 32)]
    if data[:1] and data[0] & 1:

        def naive(_: bytes) -> bytes:
            old, new = reference.consistency_roots(a, b, start, path)
            reference.require(old == start)
            return new

        _agree(verdict(lambda _: consistency_root(a, b, start, path), data, MerkleError), verdict(naive, data, RefusedError))
    else:
        ours = verdict(lambda _: inclusion_root(a, b, start, path), data, MerkleError)
        _agree(ours, verdict(lambda _: reference.inclusion_root(a, b, start, path), data, RefusedError))


def _proof_seeds() -> list[bytes]:
    receipts = [parse_receipt(samples.INCLUSION), parse_receipt(samples.CONSISTENCY)]
    heads = [
        b"\0" + samples.INDEX.to_bytes(8, "big") + samples.SIZE.to_bytes(8, "big") + samples.LEAVES[samples.INDEX],
        b"\1" + samples.OLD_SIZE.to_bytes(8, "big") + samples.SIZE.to_bytes(8, "big") + samples.OLD_ROOT,
    ]
    return [head + b"".join(receipt.path) for head, receipt in zip(heads, receipts, strict=True)]


_LOG_POLICY = LogPolicy.parse(samples.POLICY)


def _verifiers(data: bytes) -> None:
    """Whatever verifies says what was signed."""
    leaf = samples.LEAVES[samples.INDEX]
    try:
        if data.startswith(b"c2sp.org"):
            file = ProofFile.parse(data)
            checkpoint = verify_proof_file(file, _LOG_POLICY, samples.ORIGIN, leaf).checkpoint
            _agree((file.index, checkpoint.encode()), (samples.INDEX, samples.TEXT))
        elif data.startswith(b"\xd2"):
            receipt = parse_receipt(data)
            if isinstance(receipt, InclusionReceipt):
                root = verify_inclusion_receipt(receipt, leaf, [samples.RECEIPT_KEY])
            else:
                root = verify_consistency_receipt(receipt, samples.OLD_ROOT, [samples.RECEIPT_KEY])
            _agree(root, samples.ROOT)
        else:
            _agree(_LOG_POLICY.verify_checkpoint(data, samples.ORIGIN).note.text, samples.TEXT)
    except MerkleError:
        return


_TRUST = helpers.trust_policy("notary-clock")
_WORLD = helpers.World()
_LOG, _INDEX = _WORLD.logged()


def _refusing(run: Callable[[bytes], object], *errors: type[Exception]) -> Run:
    def tried(data: bytes) -> None:
        try:
            run(data)
        except errors:
            return

    return tried


_MESSAGES = (
    Decision,
    LogEntry,
    ModelStatement,
    PolicyStatement,
    ActivationStatement,
    EnrolmentStatement,
    IncidentStatement,
    Identity,
    TransactionDetails,
    FeatureVector,
    Explanation,
)


def _statements(data: bytes) -> None:
    """Read the same bytes as every message and every record there is."""
    for kind in _MESSAGES:
        _refusing(lambda data, kind=kind: parse_message(kind, data, "it"), TrustError)(data)  # type: ignore[misc]  # defaults bind
    _refusing(lambda data: check_decision(parse_message(Decision, data, "it"), _TRUST), TrustError)(data)
    _refusing(lambda data: open_entry(data, EntryKind.ENTRY_KIND_DECISION), TrustError)(data)
    for opened in (open_model, open_policy, partial(open_activation, log=helpers.GOVERNANCE)):
        _refusing(lambda data, opened=opened: opened(0, data, _TRUST.signers), TrustError, MerkleError)(data)  # type: ignore[misc]  # the same


def _json(data: bytes) -> None:
    _refusing(lambda data: parse_object(data, 2**16), TrustError)(data)
    _refusing(FeatureSchema.parse, TrustError)(data)


def _profile_entries(data: bytes) -> None:
    """Read the same bytes as what profiles are made of."""
    for headers in ([], [("content-type", b"application/json")]):
        _refusing(lambda data, headers=headers: read_transaction(headers, data, helpers.NOW_MS, 10**9), EntryError)(data)  # type: ignore[misc]  # defaults bind
    _refusing(read_label, EntryError)(data)


_GOVERNANCE = _WORLD.governance_log().entries

TARGETS: dict[str, Target] = {
    "notes": _format("note"),
    "checkpoints": _format("checkpoint"),
    "keys": _format("verifier key"),
    "policies": _format("policy"),
    "tile_paths": _format("tile path"),
    "entries": _format("entries"),
    "proof_files": _format("proof file"),
    "cbor": _format("CBOR"),
    "receipts": _format("receipt"),
    "proofs": Target(_proofs, _proof_seeds()),
    "verifiers": Target(
        _verifiers, [samples.NOTE, samples.PROOF_FILE, samples.PROOF_FILE_WITH_EXTRA, samples.INCLUSION, samples.CONSISTENCY]
    ),
    "witness_requests": Target(witnessing.request, witnessing.REQUESTS),
    "witness_answers": Target(witnessing.answer, witnessing.ANSWERS),
    "log_evidence": Target(witnessing.evidence, witnessing.EVIDENCE, json=True),
    "trust_toml": Target(
        _refusing(lambda data: TrustPolicy.parse(helpers.log_policy(), data), TrustError), [helpers.trust_toml()]
    ),
    "fallbacks": Target(
        _refusing(lambda data: open_fallback(data, _TRUST), TrustError), [test_fallbacks.fallback().SerializeToString()]
    ),
    "seals": Target(
        _refusing(
            lambda data: SealHistory().follow(open_seal(sealed.signed(data).SerializeToString(), sealed.POLICY), 4), TrustError
        ),
        [sealed.Sealing().seal().statement],
    ),
    "iso20022": Target(
        _refusing(lambda data: payments(data, most=10, utc_offset_minutes=60), Iso20022Error),
        [
            test_iso20022.pacs(test_iso20022.item()),
            test_iso20022.pain(f"{test_iso20022.DEBTOR}<CdtTrfTxInf><Amt/></CdtTrfTxInf>", count=1),
            test_iso20022.XXE.encode() + test_iso20022.pacs(test_iso20022.item()),
        ],
    ),
    "json": Target(_json, [helpers.SCHEMA, b'{"a": [1, -0.5e3, "\\u00e9\\ud83d\\ude00", null, true]}'], json=True),
    "bundles": Target(
        _refusing(lambda data: verify_bundle(data, _TRUST), BundleError), [_WORLD.bundle("features", "identity")], json=True
    ),
    "statements": Target(
        _statements,
        [
            _WORLD.decision.SerializeToString(),
            _WORLD.model.SerializeToString(),
            _WORLD.policy.SerializeToString(),
            _WORLD.activation.SerializeToString(),
            *_GOVERNANCE,
            *(LogEntry.FromString(entry).value for entry in _GOVERNANCE),
        ],
    ),
    "anchor_texts": Target(anchoring.texts, anchoring.TEXTS),
    "time_stamps": Target(anchoring.stamps, [*anchoring.STAMPS, *anchoring.KEPT], json=True),
    "contract_events": Target(anchoring.posted, anchoring.RECEIPTS),
    "profile_entries": Target(
        _profile_entries,
        [
            test_profile_entries.PAID.SerializeToString(),
            test_profile_entries.LABEL.SerializeToString(),
            MessageToJson(test_profile_entries.PAID).encode(),
        ],
    ),
    "log_proofs": Target(
        _refusing(lambda data: verify_log_proof(data, _TRUST, _LOG.entries[_INDEX], _LOG.checkpoint()), TrustError),
        [
            ProofFile(_INDEX, tuple(_LOG.prove(_INDEX).proof), _LOG.checkpoint()).encode(),
            _LOG.inclusion_receipt(_INDEX),
            _LOG.consistency_receipt(4),
        ],
    ),
    "rules": Target(policies.rule, policies.RULES),
    "policy_files": Target(policies.file, policies.FILES),
    "policy_lists": Target(policies.members, policies.LISTS),
}
