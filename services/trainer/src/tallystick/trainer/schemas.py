"""Feature schemas: those that come with Tallystick, by name, and others by path."""

from importlib.resources import files
from pathlib import Path


def known_schemas() -> list[str]:
    """Return the names of the schemas that come with Tallystick, such as "card-1"."""
    names = (entry.name for entry in files("tallystick.contracts").joinpath("features").iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def read_schema(name: str) -> bytes:
    """Read a schema's exact bytes: a known name, or else a file's path.

    Raises:
        OSError: there is no such file.
    """
    if name in known_schemas():
        return files("tallystick.contracts").joinpath("features", f"{name}.json").read_bytes()
    return Path(name).read_bytes()
