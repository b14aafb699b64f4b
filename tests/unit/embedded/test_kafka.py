"""Apache Kafka, before anything runs: what is missing is said, and what brokers are told fits their number."""

import re
from pathlib import Path

import pytest

from tallystick.embedded.kafka import NoKafkaError, Secured, artefacts, fetch, unavailable
from tallystick.embedded.kafka.properties import Node, broker_properties

ROOT = Path(__file__).parents[3]
POM = (ROOT / "deploy/kafka/pom.xml").read_text()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the only one on PATH, and let nothing have been fetched."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(artefacts, "BUILD", tmp_path / "build")
    return folder


def program(file: Path, text: str) -> None:
    """Write a program."""
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_what_is_missing_is_said(tools: Path) -> None:
    """No Java, an old one, no Maven: each in words; with both, nothing."""
    assert "no java on PATH" in str(unavailable())
    program(tools / "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    assert re.search(r'needs Java 17 or newer; .*/java says: openjdk version "11.0.2"', str(unavailable()))
    program(tools / "java", """echo 'openjdk version "21" 2023-09-19' >&2""")
    assert "no mvn on PATH" in str(unavailable())
    with pytest.raises(NoKafkaError, match="no mvn on PATH"):
        fetch()
    program(tools / "mvn", "true")
    assert unavailable() is None


def test_jars_that_do_not_come_are_said_and_leave_nothing(tools: Path) -> None:
    """Maven fails, or takes too long: its last words, or how long; and the next try begins afresh."""
    program(tools / "mvn", "echo no such artefact; exit 1")
    with pytest.raises(NoKafkaError, match=r"(?s)could not fetch Apache Kafka \(code 1\).*no such artefact"):
        fetch()
    program(tools / "mvn", "exec /bin/sleep 20")
    with pytest.raises(NoKafkaError, match=r"within 0.2 s"):
        fetch(timeout_s=0.2)
    program(tools / "mvn", 'for a; do case $a in -DoutputDirectory=*) /bin/mkdir -p "${a#*=}"; esac; done')
    assert [path.name for path in artefacts.BUILD.glob("jars-*")] == []
    assert fetch().is_dir()


@pytest.mark.parametrize(("brokers", "copies", "in_sync"), [(1, "1", "1"), (3, "3", "2")])
def test_copies_fit_the_number_of_brokers(tmp_path: Path, brokers: int, copies: str, in_sync: str) -> None:
    """Transactions, groups and topics: as many copies as brokers, of which all but one must have what is written."""
    nodes = [
        Node(number, tmp_path, {"PLAINTEXT": 1000 + number, "CONTROLLER": 2000 + number}) for number in range(1, brokers + 1)
    ]
    common = (ROOT / "deploy/kafka/broker.properties").read_text()
    told = dict(line.split("=", 1) for line in broker_properties(common, nodes[0], nodes, {}, None).splitlines() if "=" in line)
    assert {told[name] for name in told if name.endswith("replication.factor")} == {copies}
    assert (told["min.insync.replicas"], told["transaction.state.log.min.isr"]) == (in_sync, in_sync)
    assert told["unclean.leader.election.enable"] == told["auto.create.topics.enable"] == "false"
    assert "CONTROLLER" not in told["advertised.listeners"]


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    """A password does not come into a traceback with what holds it, nor into the broker's file."""
    secured = Secured(tmp_path, tmp_path, {"ada": "secret word"})
    node = Node(1, tmp_path, {"PLAINTEXT": 1, "CONTROLLER": 2, "SASL_SSL": 3, "SSL": 4})
    assert "secret word" not in repr(secured) + broker_properties("", node, [node], {}, secured)


def test_the_images_are_of_the_same_version() -> None:
    """What runs here without Docker is what compose and the dev overlay run with it."""
    (version,) = re.findall(r"<kafka\.version>(.+)</kafka\.version>", POM)
    for file in ("deploy/compose.yaml", "k8s/overlays/dev/kafka/kafka.yaml"):
        assert f"image: apache/kafka:{version}\n" in (ROOT / file).read_text()
