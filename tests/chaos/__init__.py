"""Chaos: scoring, notary and brokers killed and paused at random under load; what is left is compared with a calm run.

`faults` is the plan (seeded), `world` the chain that it is carried out on, `storm` the carrying out, `timeline` how long each
fault was felt, `figures` what came of it; `run` is `make chaos`.
"""
