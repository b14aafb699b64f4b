"""The small verifier: a proof or an audit package and a trust policy in, a verdict out.

No network, no clock, no other file, and nothing to install but `trust`, `merkle` and `contracts` with what they need:
`tallystick-verify FILE --policy PATH`. `tallystick verify` is the same with a frame on a terminal, and with a policy's rules
evaluated again. `command` reads, verifies and says; `inputs` are its files, `report`, `log_report` and `evidence` tell what was
found, `printing` prints it.
"""
