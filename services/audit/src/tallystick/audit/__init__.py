"""Keeps the evidence and serves proofs over HTTP, in two processes.

`tallystick-audit-ingest` copies the topic `evidence` into PostgreSQL, each record once. `tallystick-audit` answers auditors:
decisions, proof bundles, consistency proofs and the logs' tiles. Nobody needs to believe it: whatever it says carries what is
needed to check it against a trust policy that the auditor got elsewhere. It writes no log, and holds no key but the one that
finds evidence; customers' keys are unwrapped by Vault, one request at a time.

Pure: `entries` (what a log entry says), `evidence` (finding and opening), `ingest.rows`. Around them:
`database`, `logs`, `keys`, `models` reach the world, `finding` and `proving` put the answers together, `api` is HTTP.
"""
