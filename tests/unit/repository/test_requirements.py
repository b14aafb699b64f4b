"""A part's pyproject names what its code imports: else an image that holds one service only would not start."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .tree import PARTS, ROOT

DISTRIBUTIONS = packages_distributions()


def imported(part: str) -> Iterator[str]:
    """Give the distributions whose modules a part's code imports."""
    for path in (ROOT / "services" / part / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names):
                    modules = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), level=0):
                    modules = [module]
                case _:
                    continue
            for top, _, rest in (module.partition(".") for module in modules):
                if top == "tallystick":
                    yield f"tallystick-{rest.partition('.')[0]}"
                elif top not in sys.stdlib_module_names:
                    yield canonicalize_name(DISTRIBUTIONS[top][0])


@pytest.mark.parametrize("part", PARTS)
def test_a_part_requires_what_it_imports(part: str) -> None:
    """Every import of a part, of ours or from the index, is among its own requirements, or those of its extras."""
    project = tomllib.loads((ROOT / "services" / part / "pyproject.toml").read_text())["project"]
    extras = [text for texts in project.get("optional-dependencies", {}).values() for text in texts]
    required = {canonicalize_name(Requirement(text).name) for text in (*project["dependencies"], *extras)} | {project["name"]}
    assert sorted(set(imported(part)) - required) == []
