"""Keeps the evidence and serves proofs over HTTP."""
