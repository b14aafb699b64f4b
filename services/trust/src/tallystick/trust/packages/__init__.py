"""Audit packages: everything about some decisions in one file, to be verified where nothing else is at hand.

`archive` is the file: a zip of the plainest kind, written in one way only and read in no other. `contents` says which files are
in it, `views` what records look like to people, `verifying` holds all of it against a trust policy.
"""
