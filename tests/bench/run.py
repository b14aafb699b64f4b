"""`make bench`: run all benches and write build/bench.json."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import api, chain, gateway, notary, profiles, proofs, replay, scoring, stages, state, tree  # noqa: E402  needs it
from tests.bench.figures import Row, write  # noqa: E402
from tests.bench.material import prepare  # noqa: E402

ENTRIES_A_TRANSACTION = 3  # the notary alone is faster than the rest: more of them, for a run of some seconds


def main() -> None:
    """Run the benches; nothing here asserts a time."""
    parser = argparse.ArgumentParser(description="Measure Tallystick on this machine.")
    parser.add_argument("--transactions", type=int, default=100_000, metavar="N", help="through Kafka, a run (%(default)s)")
    parser.add_argument("--records", type=int, default=200_000, metavar="N", help="for scoring and each peer (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each bench; medians count (%(default)s)")
    alone = ("tree", "notary", "proofs", "stages", "replay", "state", "profiles", "chain", "gateway", "api")
    benches = (*alone, "scoring", *sorted(scoring.PARTS))
    parser.add_argument("--only", choices=benches, help="one bench alone; scoring is throughput, peers and latency together")
    args = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    rows: list[Row] = []
    try:
        with TemporaryDirectory(prefix="tallystick-bench-") as directory:
            if args.only in (None, "tree"):
                rows += tree.run(args.runs)
            if args.only in (None, "notary"):
                console.print("the notary alone …")
                rows += notary.run(ENTRIES_A_TRANSACTION * args.transactions, args.runs)
            if args.only in (None, "proofs"):
                rows += proofs.run(Path(directory), args.runs, console)
            if args.only in (None, "stages"):
                console.print("a decision, stage by stage …")
                rows += stages.run()
            if args.only in (None, "replay"):
                rows += replay.run(Path(directory), args.runs, console)
            if args.only in (None, "state"):
                rows += state.run(1, console)  # a minute or two, and the sizes are the same each time
            if args.only in (None, "scoring", *scoring.PARTS, "profiles", "chain", "gateway", "api"):
                material = prepare(Path(directory), max(args.transactions, scoring.transactions_needed(args.records)))
            if args.only in (None, "scoring", *scoring.PARTS):
                parts = scoring.PARTS & {args.only} or scoring.PARTS
                rows += scoring.run(material, args.records, args.runs, console, parts)
            if args.only in (None, "profiles"):
                rows += profiles.run(material, args.records, args.runs, console)
            if args.only in (None, "chain"):
                console.print("the whole chain …")
                rows += chain.run(replace(material, table=material.table.slice(0, args.transactions)), args.runs, console)
            if args.only in (None, "gateway"):
                rows += gateway.run(material, args.runs, console)
            if args.only in (None, "api"):
                console.print("the audit API …")
                rows += api.run(material, args.runs, console)
    finally:  # what was measured before something failed took its time
        if rows:
            write(rows, ROOT / "build" / "bench.json", console)


if __name__ == "__main__":
    main()
