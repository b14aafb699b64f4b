"""One fuzzer, in a process of its own: `python -m tests.fuzz.one TARGET [libFuzzer's options, folders and files]`."""

import shlex
import sys
from random import Random

import atheris

from . import json_mutator

INCLUDED = ["tallystick.merkle", "tallystick.trust", "tallystick.witness.decision", "tallystick.cli.monitor_log.evidence"]

with atheris.instrument_imports(include=INCLUDED):
    from .targets import TARGETS


def mutate_json(data: bytes, max_size: int, seed: int) -> bytes:
    """Change a JSON document's structure half of the time, and else, or where it is none, its bytes."""
    random = Random(seed)
    changed = json_mutator.mutate(data, random) if random.random() < 0.5 else None
    return changed if changed is not None and len(changed) <= max_size else atheris.Mutate(data, max_size)


def main() -> None:
    """Fuzz until libFuzzer's options say to stop."""
    _, name, *options = sys.argv
    # To minimise, libFuzzer has a shell start its first argument anew.
    again = shlex.join([sys.executable, "-m", "tests.fuzz.one", name])
    target = TARGETS[name]
    atheris.Setup([again, *options], target.run, **({"custom_mutator": mutate_json} if target.json else {}))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
