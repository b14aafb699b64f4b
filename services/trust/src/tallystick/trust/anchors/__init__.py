"""Anchors: that a log's head was known outside of the bank at some time, checked offline.

`text` is what an authority stamps, `receipts` what is kept of an anchor, `rfc3161` and `evm` how each kind is verified,
`verifying` what both mean for a bundle. Pure, like all of `trust`: receipts are gathered by `tallystick-anchor`.
"""
