"""All fuzzers, for a bounded time: `make fuzz`, `make fuzz SECONDS=600`, `make fuzz ARGS="receipts cbor"`.

Each starts from the inputs that are kept in `tests/fuzz/corpus/<target>.txt`, and works in `build/fuzz/<target>`, where it
leaves what it found. `--keep` adds to them the inputs that reach new code, as few and small as can be.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import corpus
from .targets import TARGETS

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "fuzz"
SECONDS_AN_INPUT = 5
MEMORY_MB = 1024
NO_ATHERIS = (
    "make fuzz needs atheris, which has wheels for Linux on x86-64 and Python 3.11 to 3.13; this is Python "
    f"{sys.version_info.major}.{sys.version_info.minor} on {sys.platform}. Try make PYTHON=python3.13 fuzz in a fresh clone. "
    "The kept corpus is replayed by make test everywhere."
)


@dataclass(frozen=True)
class Outcome:
    """What a fuzzer did: inputs tried, coverage (edges), inputs that are new, and what it found wrong."""

    target: str
    executions: int
    coverage: int
    new: int
    finding: Path | None


def main() -> int:
    """Run the fuzzers; 0 if nothing was found, 1 if something was, 2 if they cannot run here."""
    if find_spec("atheris") is None:
        print(NO_ATHERIS, file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument(
        "--seconds",
        type=int,
        default=60,
        help="for all of them together, about; each takes a second at least, and some to start (default: 60)",
    )
    parser.add_argument("--keep", action="store_true", help="add what reaches new code to tests/fuzz/corpus")
    args = parser.parse_args()
    if unknown := set(args.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    targets = args.targets or list(TARGETS)
    for name in targets:
        _prepare(name, TARGETS[name].seeds)
    workers = min(len(targets), os.cpu_count() or 1)
    seconds = max(1, args.seconds * workers // len(targets))
    print(f"{len(targets)} fuzzers, {seconds} s each, {workers} at a time", flush=True)
    print(f"{'target':18}{'executions':>12}{'coverage':>10}{'new inputs':>12}", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        outcomes = list(pool.map(lambda name: _fuzz(name, seconds), targets))
    print(f"{'together':18}{sum(outcome.executions for outcome in outcomes):12,}")
    if args.keep:
        for name in targets:
            _keep(name)
    found = [outcome for outcome in outcomes if outcome.finding is not None]
    for outcome in found:
        print(
            f"\n{outcome.target} found something: {outcome.finding}; the reason ends {BUILD / outcome.target / 'output'}, and"
        )
        print(f"  .venv/bin/python -m tests.fuzz.one {outcome.target} {outcome.finding}\ntries it again.")
    return 1 if found else 0


def _prepare(name: str, seeds: Sequence[bytes]) -> None:
    start = BUILD / name / "start"
    shutil.rmtree(start, ignore_errors=True)
    start.mkdir(parents=True)
    (BUILD / name / "new").mkdir(exist_ok=True)
    for number, data in enumerate([*seeds, *corpus.load(name)]):
        (start / str(number)).write_bytes(data)


def _fuzz(name: str, seconds: int) -> Outcome:
    folder = BUILD / name
    output = _run(name, f"-max_total_time={seconds}", "-print_final_stats=1", folder / "new", folder / "start")
    (folder / "output").write_text(output)
    finding = re.search(r"Test unit written to (\S+)", output)
    outcome = Outcome(
        name,
        _last(r"stat::number_of_executed_units: (\d+)", output),
        _last(r"cov: (\d+)", output),
        _last(r"stat::new_units_added: +(\d+)", output),
        Path(finding[1]) if finding else None,
    )
    print(f"{name:18}{outcome.executions:12,}{outcome.coverage:10,}{outcome.new:12,}", flush=True)
    if outcome.finding is None and not outcome.executions:
        raise RuntimeError(f"the fuzzer {name} did not run:\n{output[-2000:]}")
    return outcome


def _run(name: str, *options: object) -> str:
    folder = BUILD / name
    command = [sys.executable, "-m", "tests.fuzz.one", name, *map(str, options)]
    command += [
        f"-timeout={SECONDS_AN_INPUT}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={TARGETS[name].max_bytes}",
        f"-artifact_prefix={folder}/",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout + done.stderr


def _last(pattern: str, output: str) -> int:
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def _keep(name: str) -> None:
    """Replace the kept corpus by the fewest inputs that reach what old and new ones reach together."""
    folder = BUILD / name
    merged = folder / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    _run(name, "-merge=1", merged, folder / "start", folder / "new")
    corpus.store(name, [path.read_bytes() for path in merged.iterdir()])


if __name__ == "__main__":
    sys.exit(main())
