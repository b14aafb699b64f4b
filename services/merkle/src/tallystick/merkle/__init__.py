"""The log's pure core: RFC 6962 hashing, tiles, proofs, signed notes, checkpoints."""
