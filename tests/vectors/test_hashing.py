"""Hashes and roots that public implementations of RFC 6962 agree on."""

import base64
import json
from pathlib import Path

from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import EMPTY_ROOT, leaf_hash, leaf_hashes, node_hash
from tallystick.merkle.tiles import TileBuilder

FOLDER = Path(__file__).parent
HASHING = json.loads((FOLDER / "rfc6962_hashing.json").read_bytes())
ENTRIES = [bytes.fromhex(entry) for entry in HASHING["tree_leaf_inputs_hex"]]


def test_hasher() -> None:
    """Leaf, node and empty hashes are the published ones."""
    compute = {
        "empty": lambda case: EMPTY_ROOT,
        "leaf": lambda case: leaf_hash(bytes.fromhex(case["data_hex"])),
        "node": lambda case: node_hash(bytes.fromhex(case["left_hex"]), bytes.fromhex(case["right_hex"])),
    }
    for case in HASHING["hasher"]:
        assert compute[case["kind"]](case).hex() == case["want"], case["desc"]


def test_leaf_of_another_implementation() -> None:
    """The leaf hash is the one that golang/mod's sumdb/tlog computes."""
    case = json.loads((FOLDER / "tlog_format.json").read_bytes())["record_hash"]
    assert leaf_hash(case["data"].encode()) == base64.b64decode(case["want_b64"])


def test_roots_by_size() -> None:
    """The frontier and the tile builder arrive at the published root at every size."""
    roots = [bytes.fromhex(root) for root in HASHING["roots_by_size_hex"]]
    assert len(roots) == len(ENTRIES) + 1
    frontier, builder = Frontier(), TileBuilder()
    assert frontier.root() == builder.root() == roots[0]
    for leaf, root in zip(leaf_hashes(ENTRIES), roots[1:], strict=True):
        frontier.append([leaf])
        builder.append([leaf])
        assert frontier.root() == builder.root() == root
