"""A C2SP tlog-witness: cosigns a log's checkpoint once it is proven to hold everything that was cosigned before.

For others than the log's operator to run, and small enough for them to read: this folder and `tallystick.merkle` are all of it.
Begin with `decision` (what is cosigned and what is refused, as functions of values), then `witness` (the order of effects:
check, cosign, keep, answer) and `store` (what must never be lost). Leaves out: who may ask (anybody), what a log is about, and
TLS, which a proxy in front ends. One state may serve several processes.
"""
