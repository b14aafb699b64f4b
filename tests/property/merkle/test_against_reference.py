"""Every parser agrees with the naive reference, on what is accepted and on what it says."""

from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.merkle import cbor
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.notes import VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proofs import consistency_root, inclusion_root

from . import reference
from .formats import FORMATS, plain, verdict
from .reference import RefusedError
from .samples import PUBLIC_KEYS
from .strategies import altered


def from_cbor2(value: Any) -> Any:
    """Return a value of cbor2's in the same words."""
    if isinstance(value, cbor2.CBORTag):
        return "tag", value.tag, from_cbor2(value.value)
    if isinstance(value, list):
        return [from_cbor2(item) for item in value]
    if isinstance(value, dict):
        return "map", [(key, from_cbor2(item)) for key, item in value.items()]
    return value


@pytest.mark.parametrize("name", FORMATS)
@given(st.data())
def test_agreement(name: str, data: st.DataObject) -> None:
    """Sound, altered or arbitrary, ours and the reference's verdicts are the same, and so is what they read."""
    samples, ours, naive = FORMATS[name]
    sample = data.draw(st.sampled_from(samples))
    assert verdict(ours, sample, MerkleError) is not None
    assert verdict(ours, sample, MerkleError) == verdict(naive, sample, RefusedError)
    tried = data.draw(altered(sample))
    assert verdict(ours, tried, MerkleError) == verdict(naive, tried, RefusedError)


@given(
    st.recursive(
        st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=30) | st.none(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5), inner, max_size=4)
            | st.builds(cbor.Tag, st.integers(2**32, 2**64 - 1), inner)
        ),
        max_leaves=10,
    )
)
@example({-65537: [2**32, 2**16, 2**8, 24, 23]})
def test_cbor_values(value: cbor.Value) -> None:
    """Whatever is written is read back, by us unless it is too deep, and by cbor2 (to whom small tags mean other things)."""
    data = cbor.encode(value)
    assert from_cbor2(cbor2.loads(data)) == plain(value)
    if verdict(reference.cbor, data, RefusedError) is not None:
        decoded = cbor.decode(data)
        assert plain(decoded) == plain(value)
        assert cbor.encode(decoded) == data


@given(st.data(), st.integers(1, 6))
def test_quorums(data: st.DataObject, count: int) -> None:
    """Random nested groups have a quorum exactly when the definition, read from the top down, says so."""
    names = [f"w{number}" for number in range(count)]
    keys = [VerifierKey.make(name, 4, PUBLIC_KEYS[number]) for number, name in enumerate(names)]
    lines = [f"witness {name} {key}" for name, key in zip(names, keys, strict=True)]
    free = list(names)
    for number in range(data.draw(st.integers(0, 4))):
        if not free:
            break
        members = data.draw(st.lists(st.sampled_from(free), min_size=1, max_size=len(free), unique=True))
        threshold = data.draw(st.sampled_from(["any", "all", *map(str, range(1, len(members) + 1))]))
        lines.append(f"group g{number} {threshold} {' '.join(members)}")
        free = [name for name in free if name not in members] + [f"g{number}"]
    lines.append(f"quorum {data.draw(st.sampled_from([*free, 'none']))}")
    text = "".join(f"{line}\n" for line in lines).encode()
    cosigned = data.draw(st.sets(st.sampled_from([*names, "stranger", "g0"])))
    _, witnesses, groups, quorum = reference.policy(text)
    expected = reference.witnessed(quorum, groups, {name.encode() for name in cosigned} & set(witnesses))
    assert LogPolicy.parse(text).has_quorum(cosigned) == expected


big = st.integers(0, 2**63 + 2) | st.integers(0, 70) | st.integers(0, 63).map(lambda bit: 1 << bit)
hashes = st.binary(min_size=32, max_size=32)


def paths(data: st.DataObject, length: int) -> list[bytes]:
    """Draw a path, most often of the right length and of hashes."""
    length = data.draw(st.just(max(0, length)) | st.integers(0, 66))
    path = data.draw(st.lists(hashes, min_size=length, max_size=length))
    if path and data.draw(st.integers(0, 9)) == 0:
        path[data.draw(st.integers(0, length - 1))] = data.draw(st.binary(max_size=33))
    return path


@given(big, big, hashes, st.data())
def test_roots_of_inclusion(a: int, b: int, leaf: bytes, data: st.DataObject) -> None:
    """Any path, in a tree of any size, leads to the root that the definition, turned round, makes of it; or both refuse it."""
    index, size = data.draw(st.sampled_from([sorted((a, b)), [a, b]]))
    path = paths(data, inclusion_length(index, size))
    ours = verdict(lambda _: inclusion_root(index, size, leaf, path), b"", MerkleError)
    assert ours == verdict(lambda _: reference.inclusion_root(index, size, leaf, path), b"", RefusedError)


@given(big, big, hashes, st.data())
def test_roots_of_consistency(a: int, b: int, old_root: bytes, data: st.DataObject) -> None:
    """Any proof between trees of any sizes leads to the roots that the definition makes of it; or both refuse it."""
    old, new = data.draw(st.sampled_from([sorted((a, b)), [a, b]]))
    path = paths(data, consistency_length(old, new))
    naive = verdict(lambda _: reference.consistency_roots(old, new, old_root, path), b"", RefusedError)
    if naive is None:
        assert verdict(lambda _: consistency_root(old, new, old_root, path), b"", MerkleError) is None
        return
    reached = naive[1][0]
    assert consistency_root(old, new, reached, path) == reference.consistency_roots(old, new, reached, path)[1]
    if reached != old_root:  # else the old tree is a perfect one, and its root where the path begins
        assert verdict(lambda _: consistency_root(old, new, old_root, path), b"", MerkleError) is None


def inclusion_length(index: int, size: int) -> int:
    """Return how long a leaf's path is, by walking down the tree; -1 if there is no such leaf."""
    if not 0 <= index < size:
        return -1
    length = 0
    while size > 1:
        k = reference.split(size)
        index, size, length = (index, k, length + 1) if index < k else (index - k, size - k, length + 1)
    return length


def consistency_length(old: int, new: int) -> int:
    """Return how long a consistency proof is, by walking down the newer tree; -1 if there is none."""
    if not 1 <= old <= new:
        return -1
    length, whole = 0, True
    while old != new:
        k = reference.split(new)
        old, new, whole, length = (old, k, whole, length + 1) if old <= k else (old - k, new - k, False, length + 1)
    return length if whole else length + 1
