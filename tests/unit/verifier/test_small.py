"""The small verifier: it runs where nothing is installed but what it says it needs."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tallystick.trust.packages.archive import write_archive

from ..cli.conftest import folder as folder
from ..repository.tree import ROOT
from ..trust.test_packages import bank, contents

OURS = ("contracts", "merkle", "trust", "verifier")
ALONE = """
import sys
from importlib.abc import MetaPathFinder

allowed = set(sys.argv.pop(1).split(","))

class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        part = ".".join(name.split(".")[:2]) if name.startswith(("tallystick.", "google.")) else name.split(".")[0]
        if part not in allowed and part not in sys.stdlib_module_names and part not in {"tallystick", "google"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Bare())
from tallystick.verifier.main import main
sys.exit(main())
"""


def needed() -> set[str]:
    """Return the modules of everything that the verifier's wheel brings along, by its requirements and theirs."""
    distributions, waiting = set[str](), [f"tallystick-{part}" for part in OURS]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in distributions:
            continue
        distributions.add(name)
        if name.startswith("tallystick-"):
            project = ROOT / "services" / name.removeprefix("tallystick-") / "pyproject.toml"
            asked = tomllib.loads(project.read_text())["project"]["dependencies"]
        else:
            asked = requires(name) or []
        waiting += [one.name for one in map(Requirement, asked) if one.marker is None or one.marker.evaluate({"extra": ""})]
    assert {name for name in distributions if name.startswith("tallystick-")} == {f"tallystick-{part}" for part in OURS}
    modules = {top for top, names in packages_distributions().items() if distributions & set(map(canonicalize_name, names))}
    return (modules - {"tallystick"}) | {f"tallystick.{part}" for part in OURS} | {"google.protobuf", "google._upb"}


@pytest.mark.parametrize("what", ["bundle", "package", "changed package"])
def test_it_runs_with_nothing_else_installed(folder: Path, what: str) -> None:
    """A bundle and a package, in a process that cannot import anything beyond the verifier's own requirements."""
    world = bank()
    data = world.bundle("features") if what == "bundle" else write_archive(contents(world))
    if what == "changed package":
        data = data.replace(b"# Read me", b"# Reed me")
    (folder / "file").write_bytes(data)
    command = [
        sys.executable,
        "-c",
        ALONE,
        ",".join(sorted(needed())),
        str(folder / "file"),
        "--policy",
        str(folder / "policy"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if what == "changed package":
        assert (done.returncode, done.stdout) == (1, "NOT SOUND: README.md was changed: its checksum is another.\n"), (
            done.stderr
        )
    else:
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, "SOUND"), done.stderr
        assert "the decision is entry 5" in done.stdout or "each of the 1 decisions is in its log" in done.stdout


def test_what_is_not_needed_cannot_be_imported_there() -> None:
    """The fence around the test above holds."""
    banned = ("xgboost", "aiokafka", "numpy", "polars", "rich", "httpx", "tallystick.rules", "tallystick.cli")
    trying = f"""
for name in {banned}:
    try:
        __import__(name)
    except ImportError as error:
        print(error)
main = int"""
    code = ALONE.replace("from tallystick.verifier.main import main", trying)
    done = subprocess.run([sys.executable, "-c", code, ",".join(sorted(needed()))], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"{name} is not installed here" for name in banned]
