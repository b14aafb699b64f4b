"""RLP and trie proofs against the libraries that Ethereum's own Python clients use."""

import pytest
import rlp as reference
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from tallystick.trust.anchors import rlp
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.evm import verify_posted
from tallystick.trust.anchors.keccak import keccak256
from tallystick.trust.anchors.trie import verify_value

VALUES = st.lists(st.binary(min_size=32, max_size=300), min_size=1, max_size=300)


@given(st.binary(max_size=400))
def test_keccak_is_ethereums(data: bytes) -> None:
    """The digest is the one that Ethereum's library gives."""
    assert keccak256(data) == keccak(data)


@given(st.lists(st.binary(max_size=100) | st.lists(st.binary(max_size=40), max_size=5), max_size=20))
def test_lists_are_read_as_they_were_written(items: list[bytes | list[bytes]]) -> None:
    """Each item comes back in its own encoding."""
    found = rlp.list_items(reference.encode(items))
    assert [reference.decode(item) for item in found] == items
    assert [rlp.string(item) for item, given in zip(found, items, strict=True) if isinstance(given, bytes)] == [
        given for given in items if isinstance(given, bytes)
    ]


@given(st.integers(0, 2**64 - 1))
def test_integers_are_written_as_the_reference_writes_them(value: int) -> None:
    """And read back."""
    assert rlp.encode_integer(value) == reference.encode(value)
    assert rlp.integer(rlp.encode_integer(value)) == value


@given(st.binary(max_size=80))
def test_what_is_read_is_what_the_reference_reads(data: bytes) -> None:
    """Whatever the bytes: both take them, or both refuse."""
    try:
        expected = reference.decode(data)
    except reference.DecodingError:
        expected = None
    try:
        found: object = rlp.list_items(data) if data and data[0] >= 0xC0 else rlp.string(data)
    except (AnchorError, IndexError):
        found = None
    if isinstance(expected, bytes):
        assert found == expected
    if expected is None and found is not None:
        # The reference reads all levels at once, here an item is looked at when it is needed.
        assert isinstance(found, list)


def built(values: list[bytes]) -> tuple[HexaryTrie, bytes]:
    """Return a trie of values under their places, as receipts are, and its root."""
    trie = HexaryTrie({})
    for place, value in enumerate(values):
        trie[reference.encode(place)] = value
    return trie, trie.root_hash


@given(VALUES, st.data())
@settings(deadline=None, max_examples=50)
def test_every_value_is_proven(values: list[bytes], data: st.DataObject) -> None:
    """The proof that the reference makes leads to the value; with a node changed, left out or added, it does not."""
    trie, root = built(values)
    place = data.draw(st.integers(0, len(values) - 1))
    key = reference.encode(place)
    proof = [reference.encode(node) for node in trie.get_proof(key)]  # type: ignore[no-untyped-call]  # it has no types
    assert verify_value(root, key, proof) == values[place]
    node = data.draw(st.integers(0, len(proof) - 1))
    at = data.draw(st.integers(0, len(proof[node]) - 1))
    changed = proof[node][:at] + bytes([proof[node][at] ^ 1]) + proof[node][at + 1 :]
    for wrong in (
        [*proof[:node], changed, *proof[node + 1 :]],
        proof[:-1],
        [*proof, proof[-1]],
        proof[1:],
    ):
        with pytest.raises(AnchorError):
            verify_value(root, key, wrong)
    with pytest.raises(AnchorError):
        verify_value(root, reference.encode(len(values) + 200), proof)


@given(st.lists(st.binary(max_size=64), max_size=4), st.binary(max_size=64), st.binary(max_size=64))
def test_no_bytes_raise_anything_else(proof: list[bytes], header: bytes, key: bytes) -> None:
    """Whatever is given, only AnchorError comes out; also where each node is the one that is expected."""
    with pytest.raises(AnchorError):
        verify_posted(header, 0, proof, 0, bytes(20))
    for node in proof[:1]:
        with pytest.raises(AnchorError):
            verify_value(keccak256(node), key, [node])
