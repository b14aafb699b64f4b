"""Compiles `heads.vy` into what the notary carries: ABI and bytecode. With `--check`, only sees whether they are the same."""

import json
import sys
from pathlib import Path
from typing import Any

import vyper
from vyper.compiler import compile_code

COMPILER = "0.4.3"
SOURCE = Path(__file__).with_name("heads.vy")
COMPILED = Path(__file__).parents[1] / "services/notary/src/tallystick/notary/anchors/heads.json"


def compiled(source: str) -> dict[str, Any]:
    """Return what the pinned compiler makes of the source; nothing of it depends on the machine or the folder."""
    if vyper.__version__.partition("+")[0] != COMPILER:
        raise SystemExit(f"the contract is compiled with vyper {COMPILER}, and this is {vyper.__version__}")
    made = compile_code(source, output_formats=["abi", "bytecode"])
    return {"compiler": f"vyper {COMPILER}", "abi": made["abi"], "bytecode": made["bytecode"]}


def main() -> int:
    """Compile, and write or compare."""
    text = json.dumps(compiled(SOURCE.read_text()), indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        COMPILED.write_text(text)
        return 0
    if COMPILED.read_text() == text:
        return 0
    sys.stderr.write(f"{COMPILED} is not what {SOURCE} compiles to: make contract\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
