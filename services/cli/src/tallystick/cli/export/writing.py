"""An audit package's files, from what was gathered. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from tallystick.contracts import EntryKind, Outcome, Report
from tallystick.trust.bundle import VerifiedBundle
from tallystick.trust.governance import Governance
from tallystick.trust.messages import parse_message
from tallystick.trust.packages.archive import write_archive
from tallystick.trust.packages.contents import (
    CASE,
    CHECKPOINT,
    ENTRIES,
    README,
    SUMS,
    Case,
    bundle_name,
    encode_case,
    encode_sums,
    seal_name,
)
from tallystick.trust.packages.verifying import encode_entries
from tallystick.trust.packages.views import view
from tallystick.trust.records import open_entry
from tallystick.verifier.report import outcome_name, utc

_README = """# Case {case}

An audit package of Tallystick: {count:,} decisions on payments, and all that it takes to check them without asking anybody.

Asked for: {asked}.

## Check it

On a machine of your own, with Python 3.11 or newer and the small verifier (the package `tallystick-verifier`):

    tallystick-verify {file} --policy policy/

`policy/` is **your** copy of the bank's trust policy: whose keys count, and who may sign. Get it from the bank, but not
from whoever gave you this file, and compare its digest by another channel. `trust-policy/` in here is the operator's copy, for
comparing: who believes a package by its own policy has checked nothing. `sha256sum -c SHA256SUMS` shows a damaged file, and no
more than that.

## What is in it

| file | is |
|---|---|
| `bundles/<partition>-<sequence>.json` | a decision's receipt: its place in the log, what it was made under, evidence |
| `governance/` | the whole log of models, policies, activations, reports and erasures, with its signed checkpoint |
| `models/<SHA-256>.json`, `.md` | the model files that scored, and their cards |
| `policies/<SHA-256>.json` | thresholds, rules and lists, as they were published |
| `lists/<SHA-256>.list` | the lists' files, which name nobody |
| `reports/<index>.json` | the reports in the governance log |
| `seals/<index>.tlog-proof` | what others than the bank read of the payments, up to these decisions |
| `trust-policy/` | the operator's copy of the trust policy |
| `case.json` | what was asked for, and what could not be given |

To compute a decision again to the same bits: `tallystick replay bundles/<…>.json --policy policy/ --model models/<…>.json`.

## The decisions

{decisions}

## What could not be given

{left_out}
"""


def package(
    case: Case,
    bundles: Mapping[tuple[int, int], tuple[bytes, VerifiedBundle]],
    governance: tuple[bytes, Sequence[bytes], Governance],
    models: Mapping[bytes, bytes],
    lists: Mapping[bytes, bytes],
    seals: Mapping[int, bytes],
    policy_files: Mapping[str, bytes],
    file_name: str,
) -> bytes:
    """Return the package.

    Args:
        case: what it is about.
        bundles: each decision's bundle by its place, and what it amounts to.
        governance: the governance log's signed checkpoint, its entries, and what they amount to.
        models: files by digest.
        lists: files by digest.
        seals: proof files by their index in the log of seals.
        policy_files: the operator's trust policy.
        file_name: the package's, for its README.

    Raises:
        TrustError: It cannot be made of these.
    """
    signed, entries, replayed = governance
    files = {
        README: _readme(case, [bundle for _, bundle in bundles.values()], file_name),
        CASE: encode_case(case),
        CHECKPOINT: signed,
        ENTRIES: encode_entries(entries),
    }
    files |= {bundle_name(*place): data for place, (data, _) in bundles.items()}
    files |= {f"trust-policy/{name}": content for name, content in policy_files.items()}
    files |= {f"lists/{digest.hex()}.list": content for digest, content in lists.items()}
    files |= {seal_name(index): content for index, content in seals.items()}
    for digest, file in models.items():
        files[f"models/{digest.hex()}.json"] = file
    for digest in _scored_by([bundle for _, bundle in bundles.values()]):
        files[f"models/{digest.hex()}.md"] = replayed.models[digest][1].card.encode()
    for digest in {bundle.decision.policy_digest for _, bundle in bundles.values()} - {b""}:
        files[f"policies/{digest.hex()}.json"] = view(replayed.policies[digest][1])
    for index, data in enumerate(entries):
        entry = open_entry(data)
        if entry.kind == EntryKind.ENTRY_KIND_REPORT:
            files[f"reports/{index}.json"] = view(parse_message(Report, entry.value, "the record"))
    return write_archive(files | {SUMS: encode_sums(files)})


def wanted_lists(bundles: Sequence[VerifiedBundle]) -> dict[bytes, str]:
    """Return the digests of the lists in the policies that made the decisions, and what each is called."""
    return {item.digest: item.name for bundle in bundles if bundle.policy is not None for item in bundle.policy.lists}


def is_list(file: bytes, digest: bytes) -> bool:
    """Tell whether a file is the list that a policy names."""
    return sha256(file).digest() == digest


def _scored_by(bundles: Sequence[VerifiedBundle]) -> set[bytes]:
    return {bundle.decision.model_digest for bundle in bundles if bundle.decision.outcome != Outcome.OUTCOME_REJECTED}


def _readme(case: Case, bundles: Sequence[VerifiedBundle], file_name: str) -> bytes:
    told = [
        f"- partition {bundle.decision.source_partition}, sequence {bundle.decision.sequence:,}:"
        f" {outcome_name(bundle.decision)} at {utc(bundle.decision.decided_at_ms)}"
        for bundle in bundles
    ]
    text = _README.format(
        case=case.name,
        count=len(bundles),
        asked="; ".join(case.asked),
        file=file_name,
        decisions="\n".join(told) or "None.",
        left_out="\n".join(f"- {left}" for left in case.left_out) or "Nothing was left out.",
    )
    return text.encode()
