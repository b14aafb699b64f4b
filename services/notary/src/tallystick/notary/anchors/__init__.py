"""Anchoring the logs' heads outside: the process `tallystick-anchor`, beside the logs and never in their way.

Read it in this order: `heads` (which heads may be anchored), `stamping` (RFC 3161) and `posting` (an EVM contract) with what it
stands on (`account`, `fees`, `chain`, `blocks`), `store` (where receipts go), `service` (when). What a receipt proves is
`tallystick.trust.anchors`; every receipt is verified with it before it is kept.
"""
