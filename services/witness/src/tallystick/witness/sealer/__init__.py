"""A sealer: reads the bank's input from the real brokers, by itself, and signs how far it has read, and what, every second.

For others than the operator to run, as the witness beside it, but it does not stand alone: it reads Kafka and takes the input
chain's keys from Vault, so it needs `tallystick-witness[sealer]`, which brings the project's own Kafka and Vault clients. The
witness imports nothing of it. Begin with `partition` and `sources` (what is known of the input, as functions of records), then
`sealing` (what is signed), `store` (what must never be lost) and `service` (the order of effects: read, seal, keep, publish).

Leaves out: what the decisions say. Whoever trusts this sealer compares them (`tallystick completeness`).
"""
