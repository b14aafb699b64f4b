"""Merchants' and terminals' risk, from labels that come late: a Faust app."""
