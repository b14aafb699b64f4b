"""The right edge against a tree written straight from RFC 6962, over random batches."""

from collections.abc import Sequence
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.merkle.tiles import ENTRIES, TilePath, decode_bundle, root_hash
from tallystick.notary.staging import Staged
from tallystick.notary.tree import Tree


def naive_root(entries: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    split = 1 << (len(entries) - 1).bit_length() - 1
    return sha256(b"\1" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


batches = st.lists(
    st.one_of(st.integers(1, 8), st.sampled_from([255, 256, 257, 511, 600])),
    max_size=6,
)


@given(batches)
@settings(max_examples=60, deadline=None)
def test_every_size_published_is_backed_by_files(sizes: list[int]) -> None:
    """After each batch, whatever its size, the files published so far hold the whole log, and a reload goes on with them."""
    files: dict[TilePath, bytes] = {}
    entries: list[bytes] = []
    tree = Tree()
    for size in sizes:
        batch = [b"%d" % at for at in range(len(entries), len(entries) + size)]
        entries += batch
        added = tree.append(batch)
        staged = Staged(tree.size, tree.root(), added)
        assert Staged.decode(staged.encode()) == staged
        files |= added

        assert tree.root() == naive_root(entries) == root_hash(len(entries), files.__getitem__)
        whole, rest = divmod(len(entries), 256)
        paths = [TilePath(ENTRIES, at) for at in range(whole)] + ([TilePath(ENTRIES, whole, rest)] if rest else [])
        assert [entry for path in paths for entry in decode_bundle(files[path], path.width)] == entries
        tree = Tree.load(len(entries), tree.root(), files.__getitem__)
