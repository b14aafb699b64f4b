"""Scoring: reads `transactions`, decides each one, and writes `decisions` and `evidence`.

The core is pure: `records` (bytes to transaction or reason), `windows` (a customer's history), `customers` (all of a
partition's), `snapshots` (what of them is kept for a restart), `vectors` (feature columns), `model` and `outcomes` (margins and
what follows), `sealing` (commitments, encryption), `engine` (all of it on a batch) and `coverage` (is what was emitted in the
log?). The shell around it: `gate` (which model the governance log allows), `custody` (keys), `logs` (the decisions' logs,
followed), `position` (where a partition stands), `snapshotting`, `restoring` and `snapshot_stores`, `emission` (Kafka out),
`ownership` (which partitions), `service` (the loop).

Left out: merchant and terminal profiles.
"""
