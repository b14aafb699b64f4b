"""The kept corpora, replayed: what fuzzing has reached must stay sound on every Python, where there is no fuzzer too."""

import time
from random import Random

import pytest

from . import corpus, json_mutator
from .targets import TARGETS

SECONDS_AN_INPUT = 2.0
"""No input may take long; that of a fuzzer is some KiB."""
CHANGES = 300
"""How often each document is changed in its structure; each run others."""


@pytest.mark.parametrize("name", TARGETS)
def test_replay(name: str) -> None:
    """Every kept input and every seed runs through its target, soon."""
    kept = corpus.load(name)
    assert kept, "make fuzz ARGS=--keep makes a corpus for a new target"
    for data in [*TARGETS[name].seeds, *kept]:
        started = time.process_time()
        TARGETS[name].run(data)
        assert time.process_time() - started < SECONDS_AN_INPUT


def test_nothing_is_kept_for_a_target_that_is_gone() -> None:
    """One file a target."""
    assert {path.stem for path in corpus.FOLDER.iterdir()} == TARGETS.keys()
    assert {path.stem for path in corpus.FINDINGS.iterdir()} <= TARGETS.keys()


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.json])
def test_changed_structure(name: str, request: pytest.FixtureRequest) -> None:
    """JSON documents with values of other types, in other places and depths, end in a verdict."""
    random = Random(f"{request.config.getoption('randomly_seed', 0)} {name}")
    for seed in TARGETS[name].seeds:
        for _ in range(CHANGES):
            if (changed := json_mutator.mutate(seed, random)) is not None:
                TARGETS[name].run(changed)


HOSTILE = {
    "brackets": b"[" * 4000,
    "objects": b'{"a":' * 4000,
    "CBOR arrays": b"\x81" * 4000,
    "CBOR tags": b"\xd2" * 4000,
    "CBOR that claims 2^64 items": b"\x9b" + b"\xff" * 8,
    "CBOR bytes that claim 2^64": b"\x5b" + b"\xff" * 8,
    "protobuf groups": b"\x0b" * 4000,
    "protobuf messages in messages": b"\x0a\x7f" * 2000,
    "newlines": b"\n" * 4000,
    "digits": b"9" * 4000,
    "TOML tables": b"[" + b"a." * 2000 + b"a]\n",
    "TOML arrays": b"a = " + b"[" * 4000,
    "TOML number": b"a = " + b"9" * 5000,
    "JSON number": b'{"a": ' + b"9" * 5000 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_inputs(name: str, what: str) -> None:
    """Deep, long and lying inputs end in a verdict, soon, without exhausting the stack."""
    started = time.process_time()
    TARGETS[name].run(HOSTILE[what])
    assert time.process_time() - started < SECONDS_AN_INPUT
