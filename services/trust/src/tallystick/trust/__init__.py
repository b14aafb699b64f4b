"""From bytes and a trust policy to verified objects: governance, decisions, bundles.

Pure: bytes and values in, verified values or a `TrustError` out. No clock, no network, no randomness; the one convenience that
reads files is `TrustPolicy.load`. What is left out: getting the bytes, deciding how fresh is fresh enough, and anything that
needs a secret key.
"""
