"""Audit packages: the archive they are in, and what they must hold."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tallystick.contracts import EntryKind, ListKind, ListSubject, PolicyList, Report
from tallystick.trust.bundle_format import GovernanceProofs, encode_bundle
from tallystick.trust.errors import TrustError
from tallystick.trust.packages.archive import ArchiveError, read_archive, write_archive
from tallystick.trust.packages.contents import CASE, SUMS, Case, PackageError, encode_case, encode_sums, parse_case
from tallystick.trust.packages.verifying import VerifiedPackage, encode_entries, verify_package
from tallystick.trust.packages.views import says, view

from .helpers import (
    World,
    activation,
    activation_statement,
    enrolment,
    log_policy,
    model_statement,
    policy_digest,
    policy_statement,
    trust_policy,
    trust_toml,
)

MODEL = b"a model's file"
LIST = b"a list"
Files = dict[str, bytes]


def bank() -> World:
    """Return a bank with everything that a package can hold, and a decision for it to be about."""
    policy = policy_statement()
    kind, subject, digest = ListKind.LIST_KIND_BLOCK, ListSubject.LIST_SUBJECT_TERMINAL, sha256(LIST).digest()
    policy.lists.append(PolicyList(name="t", kind=kind, subject=subject, digest=digest, salt=bytes(16), entries=1))
    model = model_statement(digest=sha256(MODEL).digest(), size_bytes=len(MODEL), card="# The card\n")
    return at_the_first_place(World(model=model, policy=policy))


@pytest.fixture(scope="module")
def world() -> World:
    """Return the bank."""
    return bank()


@pytest.fixture(scope="module")
def files(world: World) -> Files:
    """Return a sound package's files."""
    return contents(world)


def at_the_first_place(world: World) -> World:
    """Return the world, its decision the first of partition 0."""
    world.decision.source_partition = world.decision.sequence = world.decision.source_offset = 0
    return world


def contents(world: World, sequence: int = 0) -> Files:
    """Return the files of a package about one decision, of partition 0."""
    governance = world.governance_log()
    report = Report(subject="drift", figures={"psi": 0.25, "none": float("nan")}, summary="little")
    index = governance.append(EntryKind.ENTRY_KIND_REPORT, report.SerializeToString())
    model, policy = world.model.digest.hex(), policy_digest(world.policy).hex()
    inside = {
        "README.md": b"# Read me\n",
        CASE: encode_case(Case("2026-17", ["transaction t1"], ["features"], [(0, sequence)], ["nothing"])),
        f"bundles/0-{sequence}.json": world.bundle("features"),
        "governance/checkpoint": governance.checkpoint(),
        "governance/entries": encode_entries(governance.entries),
        f"models/{model}.json": MODEL,
        f"models/{model}.md": world.model.card.encode(),
        f"policies/{policy}.json": view(world.policy),
        f"lists/{sha256(LIST).hexdigest()}.list": LIST,
        f"reports/{index}.json": view(report),
        f"reports/{index - 1}.json": view(Report()),  # what every governance log here ends with
        "trust-policy/log.policy": log_policy(),
        "trust-policy/trust.toml": trust_toml(),
    }
    return summed(inside)


def summed(files: Mapping[str, bytes]) -> Files:
    """Return files with a SHA256SUMS that fits."""
    inside = {name: content for name, content in files.items() if name != SUMS}
    return inside | {SUMS: encode_sums(inside)}


def verified(files: Mapping[str, bytes]) -> VerifiedPackage:
    """Verify files as a package."""
    return verify_package(write_archive(files), trust_policy())


def test_a_sound_package_is_told(files: Files) -> None:
    """Decisions, governance log, models; what only the whole governance log shows is no longer among what was not checked."""
    package = verified(files)
    assert [bundle.index for bundle in package.bundles] == [5]
    assert (package.case.name, package.models, package.same_policy) == ("2026-17", 1, True)
    assert not [left for left in package.unchecked if "revoked" in left]
    assert any("complete" in left for left in package.unchecked)
    assert package.absent == []


def test_the_same_files_are_the_same_bytes(files: Files) -> None:
    """Whatever order they come in; and any program that knows zip reads them."""
    data = write_archive(files)
    assert write_archive(dict(reversed(files.items()))) == data
    assert read_archive(data) == files
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


KINDS = (
    "README",
    CASE,
    SUMS,
    "bundles",
    "checkpoint",
    "entries",
    ".json",
    ".md",
    "policies",
    "lists",
    "reports",
    "log.p",
    "toml",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_byte_in_any_file_is_named(files: Files, kind: str) -> None:
    """With a zip that is right in itself: the sum of the file says so, and which it is."""
    name = next(name for name in files if kind in name)
    changed = files[name][:-2] + bytes([files[name][-2] ^ 1]) + files[name][-1:]
    with pytest.raises(PackageError, match=SUMS if name == SUMS else name):
        verified(files | {name: changed})


def test_any_changed_byte_of_the_archive_is_refused(files: Files) -> None:
    """Headers, names, contents, table of contents: there is no byte that does not count."""
    small = {name: files[name] for name in (SUMS, "README.md")}
    data = write_archive(small)
    for at in range(len(data)):
        with pytest.raises(TrustError):
            read_archive(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


Change = Callable[[World, Files], Mapping[str, bytes | None]]
ONE, TWO, ALL, HEAD = "bundles/0-0.json", "bundles/0-1.json", "governance/entries", "governance/checkpoint"


def model_file(world: World, end: str = "json") -> str:
    """Return the name of the model, or of its card."""
    return f"models/{world.model.digest.hex()}.{end}"


def policy_file(world: World) -> str:
    """Return the name of the policy."""
    return f"policies/{policy_digest(world.policy).hex()}.json"


FORGED: dict[str, tuple[Change, str]] = {
    "bundle": (lambda _, f: {ONE: f[ONE].replace(b'"index": 5', b'"index": 4')}, "0-0.json: .*not in the log"),
    "bundle of another": (lambda _, f: {ONE: None, TWO: f[ONE], CASE: case((0, 1))}, "another decision"),
    "bundle more": (lambda _, f: {TWO: f[ONE]}, "0-1.json is in the package, and case.json"),
    "bundle less": (lambda _, f: {ONE: None}, "0-0.json is missing"),
    "governance entry": (lambda _, f: {ALL: f[ALL][:-1] + b"\x01"}, "not those that .*checkpoint signs"),
    "governance entry less": (lambda w, _: {ALL: encode_entries(w.governance_log().entries)}, "not those"),
    "governance half an entry": (lambda _, f: {ALL: f[ALL] + b"\x00"}, "within a length"),
    "governance checkpoint": (lambda w, _: {HEAD: w.governance_log().checkpoint("eve")}, "checkpoint is refused"),
    "model": (lambda w, _: {model_file(w): b"another model"}, "its SHA-256 is another"),
    "model of nobody": (lambda *_: {f"models/{'00' * 32}.json": b"x"}, "does not have"),
    "card": (lambda w, _: {model_file(w, "md"): b"# A better card\n"}, "not the card"),
    "policy": (lambda w, _: {policy_file(w): view(policy_statement(decline_margin=9.0))}, "not the policy"),
    "list": (lambda *_: {f"lists/{sha256(LIST).hexdigest()}.list": b"another list"}, "not a list"),
    "report": (lambda *_: {"reports/4.json": view(Report(subject="drift", summary="none"))}, "not the report"),
    "report elsewhere": (lambda _, f: {"reports/0.json": f["reports/4.json"]}, "no report there"),
    "file more": (lambda *_: {"bundles/readme": b"x"}, "none of the files"),
    "case of another format": (lambda _, f: {CASE: f[CASE].replace(b"/v1", b"/v2")}, "understands"),
    "no trust policy": (lambda *_: {"trust-policy/trust.toml": None}, "trust.toml is missing"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forger_who_knows_the_format_gets_no_further(world: World, files: Files, what: str) -> None:
    """With sums and checksums put right again, what is not so is found by what the policy's keys signed."""
    change, words = FORGED[what]
    forged = {name: content for name, content in (files | dict(change(world, files))).items() if content is not None}
    with pytest.raises(PackageError, match=words):
        verified(summed(forged))


def case(*decisions: tuple[int, int]) -> bytes:
    """Return a case.json about these decisions."""
    return encode_case(Case("2026-17", [], [], decisions, []))


def test_a_missing_or_an_extra_file_is_named(files: Files) -> None:
    """By SHA256SUMS, which goes over all of them."""
    name = next(name for name in files if name.endswith(".md") and name.startswith("models"))
    with pytest.raises(PackageError, match=rf"{name} is missing, which SHA256SUMS lists"):
        verified({kept: content for kept, content in files.items() if kept != name})
    with pytest.raises(PackageError, match=r"lists/0{64}\.list is in the package, and SHA256SUMS does not list it"):
        verified(files | {f"lists/{'0' * 64}.list": b"x"})


def test_a_revoked_approver_s_activation_does_not_count() -> None:
    """A bundle cannot show that bob had been revoked before he approved; the governance log in the package does."""
    world = at_the_first_place(World())
    log = world.governance_log()
    del log.entries[2:]
    log.append(EntryKind.ENTRY_KIND_ENROLMENT, enrolment("bob", [], "ada", "cyd"))
    index = log.append(
        EntryKind.ENTRY_KIND_ACTIVATION, activation(activation_statement(world.model.digest, policy_digest(world.policy)))
    )
    world.decision.activation_index = index
    proofs = world.proofs("features", governance=world.governance_log())
    governance = GovernanceProofs(log.checkpoint(), log.prove(0), log.prove(1), log.prove(index))
    files = contents(world) | {
        "bundles/0-0.json": encode_bundle(replace(proofs, governance=governance)),
        "governance/checkpoint": log.checkpoint(),
        "governance/entries": encode_entries(log.entries),
    }
    kept = {name: content for name, content in files.items() if not name.startswith(("reports", "models", "policies", "lists"))}
    with pytest.raises(PackageError, match=rf"bundles/0-0.json: its activation {index} has no effect"):
        verified(summed(kept))


def test_the_operator_s_trust_policy_is_compared_and_never_used(files: Files) -> None:
    """Another copy, or none that can be read, is told; the verdict is by one's own."""
    other = summed(
        files | {"trust-policy/trust.toml": trust_toml(NOTARY_CLOCK="x").replace(b"max_age_s = 60", b"max_age_s = 61")}
    )
    assert not verified(other).same_policy
    assert not verified(summed(files | {"trust-policy/log.policy": b"nonsense"})).same_policy


def zipped(method: int, *members: tuple[str, bytes]) -> bytes:
    """Return what Python's zip writer makes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    """Compressed members are refused by their header alone: ten megabytes of zeroes in a few kilobytes."""
    bomb = zipped(zipfile.ZIP_DEFLATED, ("bundles/0-0.json", bytes(10_000_000)))
    assert len(bomb) < 20_000
    with pytest.raises(ArchiveError, match=r"bundles/0-0.json is compressed"):
        read_archive(bomb)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "a//b", ".hidden", "a/", "", "a\nb", "ä", "x" * 201]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    """Nothing that could be written outside the folder that it is unpacked into."""
    with pytest.raises(ArchiveError, match="no name for a file"):
        write_archive({name: b"x"})
    with pytest.raises(ArchiveError, match="no name for a file"):
        read_archive(zipped(zipfile.ZIP_STORED, (name, b"x")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused() -> None:
    """Two files of one name: one reader shows this one, another that one."""
    with pytest.raises(ArchiveError, match=r"holds a\.json twice"):
        read_archive(zipped(zipfile.ZIP_STORED, ("a.json", b"1"), ("a.json", b"2")))


def test_what_lies_behind_the_table_or_before_the_files_is_refused(files: Files) -> None:
    """A second archive appended, a prefix, a comment, a tail cut off: no bytes that a reader does not see."""
    data = write_archive({"a.json": b"1"})
    for odd in (data + data, data + b"x", data[:-1], data[:10], data.replace(b"PK\x05\x06", b"PK\x05\x07")):
        with pytest.raises(ArchiveError):
            read_archive(odd)
    with pytest.raises(ArchiveError, match="begins neither"):
        read_archive(b"x" + data)
    with pytest.raises(ArchiveError, match="out of order"):
        read_archive(zipped(zipfile.ZIP_STORED, ("b.json", b"1"), ("a.json", b"2")))
    with pytest.raises(ArchiveError, match="table of contents"):
        read_archive(zipped(zipfile.ZIP_STORED, ("a.json", b"1")))


def test_views_tell_what_a_record_says() -> None:
    """Written otherwise it is the same; another figure is another record."""
    report = Report(subject="drift", figures={"a": 1.5, "nan": float("nan")})
    assert says(view(report).replace(b"\n", b" "), report)
    assert not says(view(report).replace(b"1.5", b"1.6"), report)
    assert not says(b"{}x", report)
    assert not says(b'{"nobody": 1}', report)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"case": "2026-17"', '"case": ""'),
        ('"asked": []', '"asked": [1]'),
        ("0,\n   0", "-1,\n   0"),
        ("0,\n   0", "0,\n   true"),
        ("0,\n   0", "0"),
        ('"groups"', '"troups"'),
    ],
)
def test_a_case_is_read_strictly(old: str, new: str) -> None:
    """Kinds, ranges and names are as they are written."""
    data = case((0, 0)).decode()
    assert old in data
    with pytest.raises(PackageError):
        parse_case(data.replace(old, new).encode())


def test_decisions_of_a_case_rise() -> None:
    """Each once."""
    data = case((0, 1), (0, 3)).decode()
    with pytest.raises(PackageError, match="rise"):
        parse_case(data.replace("3", "1").encode())
