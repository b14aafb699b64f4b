"""What is in an audit package.

    README.md                        for people; nothing is proven by it
    SHA256SUMS                       "<hex>  <name>" of every other file, by rising name
    case.json                        what was asked for, and what could not be given
    bundles/<partition>-<sequence>.json   proof bundles, the evidence disclosed that the caller might see
    governance/checkpoint, governance/entries   the whole governance log: a signed note; (big-endian uint16 length, entry) …
    models/<SHA-256>.json, .md       model files as they score, and their cards
    policies/<SHA-256>.json          the policies, for people
    lists/<SHA-256>.list             the policies' lists, whose keys are not here
    reports/<index>.json             reports in the governance log, for people
    seals/<index>.tlog-proof         what sealers read of the input up to the decisions, proven to be in the log of seals
    trust-policy/log.policy, trust-policy/trust.toml   the operator's copy: to be compared, never trusted

case.json:

    {"format": "tallystick/audit-package/v1", "case": "2026-17", "asked": ["transactions tx-1, tx-2"], "groups": ["features"],
     "decisions": [[3, 311], …], "left_out": ["…"]}

`decisions` are partitions and sequences in rising order: one for each bundle. `left_out` are sentences.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tallystick.trust.errors import TrustError
from tallystick.trust.strict_json import JsonError, fields, parse_object

FORMAT = "tallystick/audit-package/v1"
README, SUMS, CASE = "README.md", "SHA256SUMS", "case.json"
CHECKPOINT, ENTRIES = "governance/checkpoint", "governance/entries"
POLICY_FILES = ("log.policy", "trust.toml")
MAX_CASE_NAME = 100
MAX_CASE_BYTES = 2**24
_HEX = "[0-9a-f]{64}"
_KNOWN = re.compile(
    rf"{README}|{SUMS}|{CASE}|{CHECKPOINT}|{ENTRIES}|bundles/[0-9]+-[0-9]+\.json|models/{_HEX}\.(?:json|md)"
    rf"|policies/{_HEX}\.json|lists/{_HEX}\.list|reports/[0-9]+\.json|seals/[0-9]+\.tlog-proof|trust-policy/(?:log\.policy|trust\.toml)"
)
_SUM = re.compile(rf"({_HEX})  ([!-~]+)")


class PackageError(TrustError):
    """An audit package is not what it should be; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a package is about: `decisions` as (partition, sequence); the others are sentences for people, `groups` names."""

    name: str
    asked: Sequence[str]
    groups: Sequence[str]
    decisions: Sequence[tuple[int, int]]
    left_out: Sequence[str]


def bundle_name(partition: int, sequence: int) -> str:
    """Return the name of a decision's bundle."""
    return f"bundles/{partition}-{sequence}.json"


def seal_name(index: int) -> str:
    """Return the name of the seal at an index of the log of seals."""
    return f"seals/{index}.tlog-proof"


def encode_case(case: Case) -> bytes:
    """Return the file case.json. Raises PackageError if its name is none."""
    _check_case_name(case.name)
    document = {
        "format": FORMAT,
        "case": case.name,
        "asked": list(case.asked),
        "groups": list(case.groups),
        "decisions": [list(place) for place in sorted(case.decisions)],
        "left_out": list(case.left_out),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def parse_case(data: bytes) -> Case:
    """Read case.json.

    Raises:
        PackageError: It is none.
    """
    kinds: dict[str, type] = {"format": str, "case": str, "asked": list, "groups": list, "decisions": list, "left_out": list}
    try:
        document = fields(parse_object(data, MAX_CASE_BYTES), "it", kinds)
    except JsonError as error:
        raise PackageError(f"{CASE}: {error}") from None
    if document["format"] != FORMAT:
        raise PackageError(f"{CASE}: its format is {document['format']!r}, and this program understands {FORMAT!r}")
    _check_case_name(document["case"])
    for name in ("asked", "groups", "left_out"):
        if not all(isinstance(item, str) for item in document[name]):
            raise PackageError(f"{CASE}: {name} must be texts")
    places = document["decisions"]
    if not all(isinstance(place, list) and [type(number) for number in place] == [int, int] for place in places):
        raise PackageError(f"{CASE}: decisions must be pairs of a partition and a sequence")
    decisions = [(int(partition), int(sequence)) for partition, sequence in places]
    if any(min(place) < 0 for place in decisions) or sorted(set(decisions)) != decisions:
        raise PackageError(f"{CASE}: decisions must rise, each once")
    return Case(document["case"], document["asked"], document["groups"], decisions, document["left_out"])


def encode_sums(files: Mapping[str, bytes]) -> bytes:
    """Return the file SHA256SUMS of these files, as `sha256sum -c` reads it."""
    return "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())).encode("ascii")


def check_sums(files: Mapping[str, bytes]) -> None:
    """Check that a package holds just the files that SHA256SUMS lists, as it lists them, and none of another kind.

    Raises:
        PackageError: The first that is not so.
    """
    for name in (SUMS, README, CASE, CHECKPOINT, ENTRIES, *(f"trust-policy/{file}" for file in POLICY_FILES)):
        if name not in files:
            raise PackageError(f"{name} is missing")
    listed: dict[str, str] = {}
    for number, line in enumerate(files[SUMS].decode("ascii", "replace").splitlines(), start=1):
        if (said := _SUM.fullmatch(line)) is None:
            raise PackageError(f"{SUMS}: line {number} is no digest and name")
        listed[said[2]] = said[1]
    for name, content in files.items():
        if not _KNOWN.fullmatch(name):
            raise PackageError(f"{name} is none of the files that a package has")
        if name != SUMS and name not in listed:
            raise PackageError(f"{name} is in the package, and {SUMS} does not list it")
        if name != SUMS and listed[name] != sha256(content).hexdigest():
            raise PackageError(f"{name} was changed: it is not the file that {SUMS} lists")
    if missing := sorted(listed.keys() - files.keys()):
        raise PackageError(f"{missing[0]} is missing, which {SUMS} lists")
    if files[SUMS] != encode_sums({name: content for name, content in files.items() if name != SUMS}):
        raise PackageError(f"{SUMS} is not in the order in which it is written")


def _check_case_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_CASE_NAME or not name.isprintable():
        raise PackageError(f"a case's name must be 1 to {MAX_CASE_NAME} printable characters")
