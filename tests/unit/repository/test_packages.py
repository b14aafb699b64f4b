"""The namespace package and its parts."""

import tomllib

import pytest

from .tree import PARTS, ROOT, python_files

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_namespace_has_no_init() -> None:
    """A `tallystick/__init__.py` anywhere would shadow every other part: there is none."""
    assert list((ROOT / "services").glob("*/src/tallystick/__init__.py*")) == []


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_one_typed_package(part: str) -> None:
    """A part is a package that says what it is and ships its types."""
    source = ROOT / "services" / part / "src/tallystick"
    assert [path.name for path in source.iterdir() if path.is_dir() and path.name != "__pycache__"] == [part]
    assert (source / part / "py.typed").is_file()
    assert (source / part / "__init__.py").read_text().startswith('"""')


@pytest.mark.parametrize("part", PARTS)
def test_a_part_builds_as_what_it_is_called(part: str) -> None:
    """A part's pyproject names the part, the licence and the module that it builds."""
    pyproject = tomllib.loads((ROOT / "services" / part / "pyproject.toml").read_text())
    assert pyproject["project"]["name"] == f"tallystick-{part}"
    assert pyproject["project"]["license"] == "Apache-2.0"
    assert pyproject["tool"]["uv"]["build-backend"]["module-name"] == f"tallystick.{part}"


def test_tools_know_every_part() -> None:
    """mypy, import-linter and the Makefile name the same parts as there are folders."""
    assert sorted(path.split("/")[1] for path in PYPROJECT["tool"]["mypy"]["mypy_path"].split(":")) == PARTS
    layers = next(c["layers"] for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    assert sorted(module.strip().removeprefix("tallystick.") for layer in layers for module in layer.split("|")) == PARTS
    makefile = (ROOT / "Makefile").read_text()
    assert sorted(next(line for line in makefile.splitlines() if line.startswith("PARTS")).split(":=")[1].split()) == PARTS


def test_modules_stay_readable() -> None:
    """A module is one concept: none is longer than 500 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > 500} == {}
