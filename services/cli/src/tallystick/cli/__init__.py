"""The command for auditors and operators."""
