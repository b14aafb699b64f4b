"""Where things are in a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARTS = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))
GENERATED = ROOT / "services/contracts/src/tallystick/contracts/v1"


def python_files() -> list[Path]:
    """Return every Python file that people write, sources and tests."""
    trees = [ROOT / "services", ROOT / "tests", ROOT / "proto", ROOT / "contract", ROOT / "k8s", ROOT / "deploy"]
    files = (path for tree in trees for path in tree.rglob("*.py") if not path.is_relative_to(GENERATED))
    return sorted(path for path in files if not {"build", ".venv"} & set(path.relative_to(ROOT).parts))
