"""One fuzzer, in a process of its own: `python -m tests.fuzz.one TARGET [libFuzzer's options, folders and files]`."""

import shlex
import sys

import atheris

with atheris.instrument_imports(include=["tallystick.merkle", "tallystick.trust", "tallystick.witness.decision"]):
    from .targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer's options say to stop."""
    _, name, *options = sys.argv
    # To minimise, libFuzzer has a shell start its first argument anew.
    again = shlex.join([sys.executable, "-m", "tests.fuzz.one", name])
    atheris.Setup([again, *options], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
