"""Anchors over real servers: listed, served by size, and in the bundles of what they cover."""

import asyncio
import dataclasses
from collections.abc import Iterator

import httpx
import pytest
from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from tallystick.cli.fsck.anchor_source import open_anchors
from tallystick.cli.fsck.anchored import AnchorsFound, check_anchors
from tallystick.cli.fsck.walk import BrokenError
from tallystick.embedded.tsa import Tsa
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import TileBuilder
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.pins import TimestampAuthority
from tallystick.trust.anchors.receipts import StampReceipt, encode_receipt, parse_receipt
from tallystick.trust.anchors.text import Head, encode_text
from tallystick.trust.bundle import BundleError, verify_bundle
from tallystick.trust.bundle_format import encode_bundle, parse_bundle
from tallystick.trust.policy import TrustPolicy

from .world import PUBLISHED, World

SIZES = (300, 450)
PLAIN = "/v1/decisions/tx-plain/bundle"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    """Run an authority."""
    authority = Tsa(tmp_path_factory.mktemp("tsa"))
    authority.start()
    yield authority
    authority.stop()


@pytest.fixture(scope="module")
def anchored(world: World, tsa: Tsa) -> World:
    """Have the log's heads of 300 and 450 entries stamped, as they were when the log had that size."""
    for size in SIZES:
        text = encode_text([Head.of(note(world, size))])
        request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build().as_bytes()
        response = ask(tsa, request)
        receipt = encode_receipt(StampReceipt("tsa1", text, request, response))
        asyncio.run(AnchorFiles(world.decisions.directory.as_uri()).keep(size, note(world, size), "tsa1", receipt))
    return world


def note(world: World, size: int) -> bytes:
    """Return the signed checkpoint of the log when it had this size."""
    builder = TileBuilder()
    builder.append([leaf_hash(entry) for entry in world.decisions.entries[:size]])
    return world.decisions.signed(size, builder.root())


def ask(tsa: Tsa, request: bytes) -> bytes:
    """Return the authority's answer."""
    return httpx.post(tsa.url, content=request, headers={"content-type": "application/timestamp-query"}).content


@pytest.fixture
def policy(world: World, tsa: Tsa) -> TrustPolicy:
    """Return the auditor's trust policy, with the authority pinned."""
    root = x509.load_pem_x509_certificate(tsa.root_pem.encode())
    return dataclasses.replace(world.policy, anchorers={"tsa1": TimestampAuthority("tsa1", (root,))})


def test_anchors_are_listed_and_served_by_size(client: httpx.Client, anchored: World) -> None:
    """In the order of sizes, from any size on, without the token."""
    origin = anchored.policy.decisions_origins[0]
    assert client.get("/v1/logs/decisions/anchors").json() == {"origin": origin, "sizes": [300, 450, PUBLISHED]}
    assert client.get("/v1/logs/decisions/anchors?first=301&limit=5").json()["sizes"] == [450, PUBLISHED]
    assert client.get("/v1/logs/governance/anchors").json()["sizes"] == []
    body = client.get("/v1/logs/decisions/anchors/300").json()
    assert (body["origin"], body["size"], body["checkpoint"]) == (origin, 300, note(anchored, 300).decode())
    assert [(receipt["kind"], receipt["by"]) for receipt in body["receipts"]] == [("rfc3161", "tsa1")]
    missing = client.get("/v1/logs/decisions/anchors/301")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:tallystick:problem:unknown")
    assert client.get("/v1/logs/nowhere/anchors").status_code == 404


def test_a_bundle_carries_the_earliest_anchor_that_covers_it(
    auditor: httpx.Client, anchored: World, policy: TrustPolicy
) -> None:
    """It verifies offline, says when, and no longer says that nothing anchors the checkpoint."""
    verified = verify_bundle(auditor.get(PLAIN).content, policy)
    assert [(anchor.by, anchor.size) for anchor in verified.anchors] == [("tsa1", 300)]
    assert any("the authority tsa1 stamped" in check for check in verified.checks)
    assert not any("nothing anchors it" in left for left in verified.unchecked)
    assert any("revoked" in left for left in verified.unchecked)


def test_an_authority_that_is_not_pinned_is_not_believed(auditor: httpx.Client, anchored: World) -> None:
    """The bundle is sound without it, and the verdict says why it does not count."""
    verified = verify_bundle(auditor.get(PLAIN).content, anchored.policy)
    assert verified.anchors == []
    assert any("the trust policy pins nobody of that name" in left for left in verified.unchecked)
    assert any("nothing anchors it" in left for left in verified.unchecked)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size": 299}, "does not hold the head of 299 entries"),
        ({"size": 601}, "does not hold the head of 601 entries"),
        ({"consistency": ()}, "an empty proof"),
        ({"consistency": (bytes(32),) * 9}, "the anchor by tsa1 is refused"),
    ],
)
def test_an_anchor_that_does_not_fit_condemns_the_bundle(
    auditor: httpx.Client, anchored: World, policy: TrustPolicy, change: dict[str, object], reason: str
) -> None:
    """Another size, no link to the checkpoint, another text."""
    bundle = parse_bundle(auditor.get(PLAIN).content)
    (stamped,) = [anchor for anchor in bundle.anchors if anchor.receipt.by == "tsa1"]
    broken = dataclasses.replace(stamped, **change)  # type: ignore[arg-type]  # each is a field's
    with pytest.raises(BundleError, match=reason):
        verify_bundle(encode_bundle(dataclasses.replace(bundle, anchors=[broken])), policy)


def test_an_anchor_must_cover_the_decision(auditor: httpx.Client, anchored: World, policy: TrustPolicy) -> None:
    """A head that is too small says nothing of a later entry, though its stamp and its link are good."""
    (small,) = [one for one in parse_bundle(auditor.get(PLAIN).content).anchors if one.receipt.by == "tsa1"]
    sequence = SIZES[0] - len(anchored.named) + 1  # the rejected records follow the named ones
    later = parse_bundle(auditor.get(f"/v1/positions/0/{sequence}/bundle").content)
    assert later.decision.index == small.size
    assert [anchor.size for anchor in verify_bundle(encode_bundle(later), policy).anchors] == [450]
    with pytest.raises(BundleError, match="a head of 300 entries does not cover entry 300"):
        verify_bundle(encode_bundle(dataclasses.replace(later, anchors=[small])), policy)


def test_an_unreadable_receipt_only_loses_the_anchor(auditor: httpx.Client, anchored: World) -> None:
    """The bundle is served without it."""
    files = AnchorFiles(anchored.decisions.directory.as_uri())
    kept = asyncio.run(files.receipts(300))
    asyncio.run(files.keep(300, note(anchored, 300), "tsa1", b"{}"))
    try:
        bundle = parse_bundle(auditor.get(PLAIN).content)
        assert [anchor.receipt.by for anchor in bundle.anchors] == ["elsewhere"]
        served = auditor.get("/v1/logs/decisions/anchors/300").json()
        assert (served["receipts"], served["unreadable"]) == ([], ["tsa1"])
    finally:
        asyncio.run(files.keep(300, note(anchored, 300), "tsa1", kept["tsa1"]))


def test_a_receipt_that_is_larger_than_any_only_loses_the_anchors(auditor: httpx.Client, anchored: World) -> None:
    """The bundle is served, without anchors."""
    file = next(anchored.decisions.directory.glob("anchors/*/000000300.tsa1.json"))
    kept = file.read_bytes()
    file.write_bytes(b"x" * (2**19 + 1))
    try:
        assert parse_bundle(auditor.get(PLAIN).content).anchors == ()
    finally:
        file.write_bytes(kept)


def verdicts(world: World, policy: TrustPolicy) -> list[AnchorsFound | str]:
    """Return what fsck makes of the anchors in the directory, and of those that the service gives: the same, or why not."""

    async def check(location: str) -> AnchorsFound | str:
        async with LogReader(f"{location}/decisions") as reader, open_anchors(location, "decisions") as source:
            checkpoint = policy.log_policy.verify_checkpoint(await reader.checkpoint(), policy.decisions_origins[0]).checkpoint
            try:
                return await check_anchors(source, reader, checkpoint, policy)
            except BrokenError as error:
                return str(error)

    return [asyncio.run(check(location)) for location in (world.decisions.directory.parent.as_uri(), world.url)]


def test_fsck_finds_the_same_anchors_as_in_the_directory(anchored: World, policy: TrustPolicy) -> None:
    """Both stamps are sound, and whoever is not pinned is told, wherever they are read from."""
    assert verdicts(anchored, policy) == [AnchorsFound({"tsa1": 2}, unpinned=1, replaced=0)] * 2


def test_fsck_passes_over_an_anchor_that_is_gone(anchored: World, policy: TrustPolicy) -> None:
    """A receipt less is an anchor less: nobody can tell from what there is that there was more."""
    files = AnchorFiles(anchored.decisions.directory.as_uri())
    kept = asyncio.run(files.receipts(300))["tsa1"]
    asyncio.run(files.drop(300, "tsa1"))
    try:
        assert verdicts(anchored, policy) == [AnchorsFound({"tsa1": 1}, unpinned=1, replaced=0)] * 2
    finally:
        asyncio.run(files.keep(300, note(anchored, 300), "tsa1", kept))


@pytest.mark.parametrize("case", ["no receipt", "another's name", "another size's", "the text's digest"])
def test_fsck_names_a_broken_anchor(anchored: World, policy: TrustPolicy, case: str) -> None:
    """In the directory as from the service, the first broken one by its size."""
    files = AnchorFiles(anchored.decisions.directory.as_uri())
    kept = asyncio.run(files.receipts(450))["tsa1"]
    stamp = parse_receipt(kept)
    assert isinstance(stamp, StampReceipt)
    broken = {
        "no receipt": b"{}",
        "another's name": encode_receipt(dataclasses.replace(stamp, by="tsa2")),
        "another size's": asyncio.run(files.receipts(300))["tsa1"],
        "the text's digest": encode_receipt(dataclasses.replace(stamp, text=stamp.text.replace(b"=", b"A", 1))),
    }[case]
    asyncio.run(files.keep(450, note(anchored, 450), "tsa1", broken))
    try:
        found = verdicts(anchored, policy)
    finally:
        asyncio.run(files.keep(450, note(anchored, 450), "tsa1", kept))
    assert [isinstance(verdict, str) and ("of 450 entries" in verdict, "refused" in verdict) for verdict in found] == [
        (True, True)
    ] * 2, found


def test_fsck_names_a_head_without_its_checkpoint(anchored: World, policy: TrustPolicy) -> None:
    """A receipt is listed, and the signed checkpoint that belongs to it is missing."""
    (file,) = anchored.decisions.directory.glob("anchors/*/000000300.checkpoint")
    file.unlink()
    try:
        found = verdicts(anchored, policy)
    finally:
        file.write_bytes(note(anchored, 300))
    assert found == ["the anchors of 300 entries are listed, and they or their signed checkpoint are missing"] * 2
