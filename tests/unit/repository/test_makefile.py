"""`make help`, the Makefile and what the documents tell people to type."""

import os
import re
import subprocess

from .tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
EXPECTED = {
    *(
        "help",
        "demo",
        "kafka",
        "test",
        "e2e",
        "check",
        "lint",
        "type",
        "proto",
        "contract",
        "bench",
        "chaos",
        "fuzz",
        "lock",
        "k8s",
        "clean",
    ),
}


def phony() -> set[str]:
    """Return the targets that the Makefile declares phony."""
    return set(next(line for line in MAKEFILE.splitlines() if line.startswith(".PHONY:")).split()[1:])


def test_help_lists_every_target() -> None:
    """`make` alone lists every target with its sentence."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    assert {line.split()[1] for line in shown.stdout.splitlines()} == EXPECTED == phony()
    assert all(len(line.split(maxsplit=2)) == 3 for line in shown.stdout.splitlines())


def test_documents_name_targets_that_exist() -> None:
    """No document sends a reader to a target that is not there."""
    documents = [path for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")] if path.is_file()]
    named = {target for path in documents for target in re.findall(r"`make ([a-z0-9]+)", path.read_text())}
    assert named <= phony()


def test_ci_runs_what_people_run() -> None:
    """CI calls the same two targets as a developer, failures once more alone, and there a skipped test is a failure."""
    script = (ROOT / ".ci/run").read_text()
    assert re.findall(r"^make .+$", script, re.MULTILINE) == [
        "make check",
        'make test || make test WORKERS=0 PYTEST_ARGS="--last-failed --last-failed-no-failures none"',
    ]
    assert "export REQUIRE_ALL=1" in script
    assert os.access(ROOT / ".ci/run", os.X_OK)
