"""HTTP in front of Kafka, for callers that want a decision at once.

It decides nothing: a transaction goes to Kafka and its decision comes back, or the bank's stated fallback is answered, written
down before it is given and logged as what it is. Read `deciding` first (one request from claim to answer), then `waiting`
(which decision is whose), `register` (one answer to a key, on any replica), `spool` and `draining` (fallbacks on their way to
the log), `asking` and `api` (HTTP's side), `iso20022` (payment messages).

Left out: scoring itself; proofs, which the audit service gives.
"""
