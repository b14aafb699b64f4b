"""Changes of a JSON document's structure, which changes of single bytes seldom come upon: other types, places and depths."""

import copy
import json
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (None, True, False, 0, -1, 1.5, 2**64, "", "AA==", "\ud800", [], {}, [1], [None], {"": 0})
"""What may stand in any value's place."""


def mutate(data: bytes, random: Random) -> bytes | None:
    """Return the JSON document `data` with one to three changes, or None if it is no object or array."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    for _ in range(random.randint(1, 3)):
        places = _places(document)
        if not places:
            return None
        _change(*random.choice(places), places, random)
    return json.dumps(document, ensure_ascii=random.random() < 0.5, indent=random.choice([None, 1])).encode("utf-8", "replace")


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return every value's container and its key there."""
    found, left = [], [document]
    while left:
        container = left.pop()
        if isinstance(container, dict | list):
            keys = list(container) if isinstance(container, dict) else range(len(container))
            found += [(container, key) for key in keys]
            left += [container[key] for key in keys]
    return found


def _change(container: Any, key: Any, places: list[tuple[Any, Any]], random: Random) -> None:
    match random.choice(["odd", "odd", "moved", "dropped", "doubled", "nested"]):
        case "odd":
            container[key] = copy.deepcopy(random.choice(ODD))
        case "moved":
            other, there = random.choice(places)
            container[key] = copy.deepcopy(other[there])
        case "dropped":
            del container[key]
        case "doubled" if isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        case "doubled":
            container[f"{key}'"] = copy.deepcopy(container[key])
        case _:
            container[key] = random.choice([[container[key]], {"a": container[key]}])
