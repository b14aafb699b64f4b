"""The logs' only writer: appends what its topics bring (`decisions`, `governance`, …), commits, signs, publishes.

The trust policy says which logs there are; each has a pipeline of its own, in this process or in another.

Read it in this order: `logs` (which logs), `pipeline` (the order of effects, normal and after a crash), `intake` (which
records become entries), `tree` and `staging` (what a batch adds to the public files), then the adapters:
`storage` with `directory` and `bucket`, `database`, `signer`, `witnesses`, `source`.

Left out: anchoring; judging whether an activation or a decision is *right*, which is what readers of the log do
(`tallystick.trust`).
"""
