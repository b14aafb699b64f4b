"""The log's pure core: RFC 6962 hashing, tiles, proofs, signed notes, checkpoints, log policies.

Bytes and values in, values or errors out: no I/O, clock, randomness or logging here, and no private keys.
Storage is a function that the caller passes (`ReadTile`), signatures are made elsewhere. Every error that data can cause is a
`MerkleError`.
"""
