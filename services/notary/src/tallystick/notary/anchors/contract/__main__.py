"""Compile `heads.vy` into `heads.json`, with the compiler that the development environment pins."""

import json
import sys
from pathlib import Path
from typing import Any

COMPILER = "0.4.3"


def compiled(source: str) -> dict[str, Any]:
    """Return what the compiler makes of the source: nothing of it depends on the machine or the folder."""
    import vyper  # only developers have it
    from vyper.compiler import compile_code

    if vyper.__version__.partition("+")[0] != COMPILER:
        raise SystemExit(f"the contract is compiled with vyper {COMPILER}, and this is {vyper.__version__}")
    made = compile_code(source, output_formats=["abi", "bytecode"])
    return {"compiler": f"vyper {COMPILER}", "abi": made["abi"], "bytecode": made["bytecode"]}


def main() -> None:
    """Write `heads.json` beside the source."""
    folder = Path(__file__).parent
    document = compiled((folder / "heads.vy").read_text())
    (folder / "heads.json").write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.write(f"wrote {folder / 'heads.json'}\n")


if __name__ == "__main__":
    main()
