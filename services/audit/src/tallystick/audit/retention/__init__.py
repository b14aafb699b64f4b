"""`tallystick-retention`: what has to end, ends by itself, and what was erased stays erased.

One process, which can read no key and no evidence. In turn it sends what the API wrote down for the governance log (`outbox`),
rotates the keys that wrap customers' and snapshots' keys (`wrapping`), destroys the chain keys of records that are gone
(`chain_keys`), and destroys what logged erasures name and a restored backup brought back (`keeper`). Topics end in Kafka, rows
of evidence in `audit.ingest`, snapshots in scoring: `tallystick.runtime.retention` has the table.
"""
