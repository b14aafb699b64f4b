"""From margins and a policy to outcomes and their reasons, by column; pure, so that whoever checks evaluates the same.

`language` parses a rule's SQL into a checked condition, `expressions` gives it to polars, `columns` makes what it is about;
`lists` are those that say nothing to who has not the key; `policies` is all of it: a policy, ready to rule on a batch.
`outcomes` has the thresholds and the score. What follows from what applied is `tallystick.trust.rulings`.

Left out: where statements, files and keys come from, and whose signatures count.
"""
