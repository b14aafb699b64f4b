"""Kafka's default partitioner over whole columns of keys."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tallystick.cli.stream.columns import Column, compute

_SEED = 0x9747B28C
_M = np.uint32(0x5BD1E995)


def partitions_of(keys: Column, partitions: int) -> NDArray[np.int64]:
    """Return the partition of each key (bytes or text, no nulls): murmur2 without its sign bit, modulo the partition count."""
    encoded = compute.dictionary_encode(keys.cast(pa.binary()))
    hashes = murmur2(encoded.dictionary.to_pylist())
    distinct = (hashes & np.uint32(0x7FFFFFFF)).astype(np.int64) % partitions
    rows: NDArray[np.int64] = encoded.indices.to_numpy()
    return distinct[rows]


def murmur2(keys: list[bytes]) -> NDArray[np.uint32]:
    """Hash with 32-bit MurmurHash2 and the Java client's seed (Kafka's Utils.murmur2), all keys of one length at once."""
    hashes = np.empty(len(keys), np.uint32)
    lengths = np.array([len(key) for key in keys], np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        data = np.frombuffer(b"".join([keys[row] for row in rows]), np.uint8).reshape(len(rows), length)
        hashes[rows] = _murmur2_of_length(data)
    return hashes


def _murmur2_of_length(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    count, length = data.shape
    whole = length - length % 4
    words = np.ascontiguousarray(data[:, :whole]).view("<u4").astype(np.uint32, copy=False).reshape(count, whole // 4)
    state = np.full(count, (_SEED ^ length) & 0xFFFFFFFF, np.uint32)
    for word in words.T:
        mixed = word * _M
        mixed ^= mixed >> np.uint32(24)
        state = state * _M ^ mixed * _M
    if length > whole:
        for place in range(whole, length):
            state ^= data[:, place].astype(np.uint32) << np.uint32(8 * (place - whole))
        state *= _M
    state ^= state >> np.uint32(13)
    state *= _M
    return state ^ (state >> np.uint32(15))
