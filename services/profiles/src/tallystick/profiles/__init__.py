"""Profiles: merchants' and terminals' risk, from transactions and labels that come late, into the compacted topic `profiles`.

The core is pure: `trust.profiles` (one terminal's or merchant's history, and from bytes to what goes into it: replay takes it,
too), `encoding` (to and from `Profile`), `shard` (the subjects of one partition), `updates` (what is gathered, divided by
subject) and `progress` (the watermark). The shell around it: `gathering` (plain aiokafka: transactions and labels into
`profile-updates`), `app` (the Faust app that makes profiles of those), `publishing`, `restoring` and `backfill` (a history from
a file).

Left out: windows' values, which scoring computes from a profile for the very second that it needs.
"""
