"""What `tallystick fsck` makes of the anchors beside a log; a contract's events are in blocks made here."""

import asyncio
import json
from pathlib import Path

import pytest
import rlp

from tallystick.cli.fsck.anchor_source import DirectoryAnchors
from tallystick.cli.fsck.anchored import AnchorsFound, check_anchors
from tallystick.cli.fsck.walk import BrokenError
from tallystick.cli.main import main
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.evm import ANCHORED, origin_digest
from tallystick.trust.anchors.keccak import keccak256
from tallystick.trust.anchors.receipts import PostedReceipt, encode_receipt
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy

from ..trust.helpers import DECISIONS, Log, World, log_policy, public, trust_toml
from .logs import decision_log, decisions, publish

ADDRESS, OTHER = b"\x01" * 20, b"\x02" * 20
PIN = f'[[contracts]]\nname = "chain1"\nchain_id = 7\naddress = "0x{ADDRESS.hex()}"\n'.encode()


def log(count: int, chain: bytes | None = None) -> Log:
    """Return the log of `count` decisions; `chain` makes it another one."""
    made = decisions(World(), count)
    if chain:
        made[2].chain = chain
    return decision_log(made)


def head(anchored: Log) -> Checkpoint:
    """Return a log's head."""
    tree = Frontier()
    tree.append(leaf_hashes(anchored.entries))
    return Checkpoint(DECISIONS, tree.size, tree.root())


def posted(said: Checkpoint, address: bytes = ADDRESS, by: str = "chain1") -> bytes:
    """Return the receipt for a head in a block of one transaction."""
    event = [address, [ANCHORED, origin_digest(DECISIONS)], said.size.to_bytes(32, "big") + said.root]
    leaf = rlp.encode([b"\x20\x80", rlp.encode([b"\x01", b"", b"", [event]])])
    header = [b"\0" * 32] * 5 + [keccak256(leaf), b"", b"", b"\x09", b"", b"", b"\x65\x00\x00\x00", b"", b"", b""]
    return encode_receipt(PostedReceipt(by, rlp.encode(header), 0, (leaf,), 0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with both logs, and a trust policy that pins the contract."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/log.policy").write_bytes(log_policy())
    (tmp_path / "policy/trust.toml").write_bytes(trust_toml() + PIN)
    publish(World().governance_log(), tmp_path / "logs/governance")
    publish(log(8), tmp_path / "logs/decisions")
    return tmp_path


def keep(folder: Path, size: int, receipt: bytes, anchored: Log | None = None) -> None:
    """Keep the receipt of `chain1` beside the log, with the signed checkpoint of what was anchored."""
    note = (anchored or log(size)).checkpoint()
    asyncio.run(AnchorFiles((folder / "logs/decisions").as_uri()).keep(size, note, "chain1", receipt))


def fsck(folder: Path) -> int:
    """Run the command."""
    return main(["fsck", str(folder / "logs"), "--policy", str(folder / "policy"), "--json"])


def test_a_contract_s_anchor_leaves_the_chain_unchecked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What no file can show is said where there is such an anchor, and only there."""
    assert fsck(folder) == 0
    assert not [left for left in json.loads(capsys.readouterr().out)["unchecked"] if left.startswith(("the chain", "anchors"))]
    keep(folder, 5, posted(head(log(5))))
    assert fsck(folder) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["logs"][1]["anchors"] == {"chain1": 1}
    assert any("the blocks in which chain1 took heads" in left for left in document["unchecked"])


def test_another_contract_s_anchor_is_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is pinned to a new contract: what the old one took proves nothing now, and breaks nothing."""
    keep(folder, 5, posted(head(log(5)), address=OTHER))
    assert fsck(folder) == 0
    found = json.loads(capsys.readouterr().out)["logs"][1]
    assert (found["anchors"], len(found["notes"])) == ({}, 1)
    assert "1 anchors are not of what the trust policy now pins" in found["notes"][0]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("chain1.json", b"x" * (2**19 + 1), "the anchors of 5 entries are refused: "),
        ("checkpoint", b"x" * (2**19 + 1), "the anchors of 5 entries are refused: "),
        ("checkpoint", None, "the anchors of 5 entries are listed, and they or their signed checkpoint are missing"),
    ],
)
def test_a_file_that_is_too_long_or_missing_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes | None, reason: str
) -> None:
    """No file of any length is taken for a receipt, and each receipt has its signed checkpoint beside it."""
    keep(folder, 5, posted(head(log(5))))
    file = folder / f"logs/decisions/anchors/0000000000/000000005.{name}"
    file.write_bytes(data) if data else file.unlink()
    assert fsck(folder) == 1
    assert reason in capsys.readouterr().out


def test_a_receipt_under_another_s_name_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file says chain1 and the receipt somebody else."""
    keep(folder, 5, posted(head(log(5)), by="chain2"))
    assert fsck(folder) == 1
    assert "the anchor of 5 entries by chain1 is refused: its receipt says chain2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("anchored", "checked", "reason"),
    [
        pytest.param(log(7), log(5), None, id="it has grown"),
        pytest.param(log(7), log(2), None, id="from less"),
        pytest.param(log(8), Log(DECISIONS), None, id="from nothing"),
        pytest.param(log(7, bytes(32)), log(5), "does not begin with the 7 that chain1 anchored", id="another was anchored"),
        pytest.param(log(7), log(5, bytes(32)), "does not begin with the 5 that were checked", id="another was checked"),
        pytest.param(log(9), log(5), "chain1 anchored 9 entries, and the log has 8", id="rolled back"),
    ],
)
def test_an_anchor_beyond_what_was_checked(folder: Path, anchored: Log, checked: Log, reason: str | None) -> None:
    """The log has grown meanwhile, to 8 entries: they must begin with what was anchored, and with what was checked."""
    keep(folder, len(anchored.entries), posted(head(anchored)), anchored)
    policy, url = TrustPolicy.load(folder / "policy"), (folder / "logs/decisions").as_uri()

    async def check() -> AnchorsFound:
        async with LogReader(url) as reader:
            return await check_anchors(DirectoryAnchors(AnchorFiles(url)), reader, head(checked), policy)

    if reason is None:
        assert asyncio.run(check()).by == {"chain1": 1}
    else:
        with pytest.raises(BrokenError, match=reason):
            asyncio.run(check())


FORKED = log(5, bytes(32))
RETIRED = LogKeys(retired={VerifierKey.make(DECISIONS, ED25519, public("old")): 5})


@pytest.mark.parametrize("by", ["chain1", "stranger"])
@pytest.mark.parametrize(
    ("note", "keys", "reason"),
    [
        pytest.param(log(5).checkpoint(cosigners=()), None, None, id="without witnesses"),
        pytest.param(log(5).checkpoint("old"), RETIRED, None, id="a retired key's, in its time"),
        pytest.param(log(5).checkpoint("old"), None, "entries is refused: ", id="an unknown key's"),
        pytest.param(
            log(5).checkpoint("old"),
            LogKeys(retired=dict.fromkeys(RETIRED.retired, 4)),
            "5 entries is signed by a retired key",
            id="a retired key's, later",
        ),
        pytest.param(log(5).checkpoint()[:-2] + b"\n", None, "entries is refused: ", id="cut"),
        pytest.param(b"note", None, "beside the anchors of 5 entries is refused: ", id="none"),
        pytest.param(World().governance_log().checkpoint(), None, "is refused: ", id="another log's"),
        pytest.param(log(4).checkpoint(), None, "beside the anchors of 5 entries is of 4", id="another size's"),
        pytest.param(FORKED.checkpoint(), None, "another root|the log signed another tree of 5 entries", id="another tree's"),
    ],
)
def test_the_signed_checkpoint_beside_the_receipts_is_verified(
    folder: Path, by: str, note: bytes, keys: LogKeys | None, reason: str | None
) -> None:
    """It is the log's own word for the head, whoever took it: by a key of the log's, of this size, and of this tree."""
    (folder / "policy/log.policy").write_bytes(log_policy("notary-clock"))
    policy, url = TrustPolicy.load(folder / "policy"), (folder / "logs/decisions").as_uri()
    asyncio.run(AnchorFiles(url).keep(5, note, by, posted(head(log(5)), by=by)))

    async def check() -> AnchorsFound:
        async with LogReader(url) as reader:
            return await check_anchors(DirectoryAnchors(AnchorFiles(url)), reader, head(log(8)), policy, keys=keys)

    if reason is None:
        assert asyncio.run(check()) == (AnchorsFound({"chain1": 1}, 0, 0) if by == "chain1" else AnchorsFound({}, 1, 0))
    else:
        with pytest.raises(BrokenError, match=reason):
            asyncio.run(check())
