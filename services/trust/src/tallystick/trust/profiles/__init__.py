"""Merchants' and terminals' histories: what profiles are made of, for the service and for whoever checks it.

`entries` (bytes to transactions and labels) and `subject` (one terminal's or merchant's history). Pure. Left out: who gathers
records and in which order, which the service `profiles` knows and says in its updates.
"""
