"""The peers' apps as programs to run: what each needs, made into `build/peers` once, and how it is started."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tallystick.embedded.kafka import NoKafkaError
from tallystick.embedded.kafka.artefacts import java
from tallystick.embedded.process import Child

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "tests" / "bench" / "peers"
BUILD = ROOT / "build" / "peers"
_PYTHONPATH = f"{ROOT}:{ROOT / 'services' / 'contracts' / 'src'}"
_MAKE_TIMEOUT_S = 600


class UnavailableError(RuntimeError):
    """A peer cannot be run on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer.

    Attributes:
        name: for people.
        slug: for topics and files.
        goal: how many times as fast scoring has to be; None where the ratio is only to be given.
        command: makes what it needs and returns its command line. Raises UnavailableError.
    """

    name: str
    slug: str
    goal: float | None
    command: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is told: the broker, the topics, the model and its thresholds, and a folder of its own."""

    bootstrap: str
    source: str
    target: str
    partitions: int
    model: Path
    review_margin: float
    decline_margin: float
    directory: Path

    def environment(self, group: str) -> dict[str, str]:
        """Return it as the apps read it."""
        told = {
            "BROKER": self.bootstrap,
            "GROUP": group,
            "SOURCE": self.source,
            "TARGET": self.target,
            "PARTITIONS": self.partitions,
            "STATE": self.directory / "state",
            "MODEL": self.model,
            "REVIEW_MARGIN": self.review_margin,
            "DECLINE_MARGIN": self.decline_margin,
        }
        return {f"PEER_{name}": str(value) for name, value in told.items()}


def start(peer: Peer, task: Task, environment: Mapping[str, str]) -> Child:
    """Start a peer, without waiting for it. Raises UnavailableError, StartError."""
    command = peer.command()
    task.directory.mkdir(parents=True, exist_ok=True)
    child = Child(peer.name, task.directory / f"{peer.slug}.log")
    child.spawn(command, env={**environment, **task.environment(f"bench-{peer.slug}"), "PYTHONPATH": _PYTHONPATH})
    return child


def _faust() -> list[str]:
    return [sys.executable, "-m", "faust", "-A", "tests.bench.peers.faust_app", "worker", "--without-web", "-l", "warn"]


def _confluent() -> list[str]:
    return [sys.executable, "-m", "tests.bench.peers.confluent_app"]


def _quix() -> list[str]:
    """Make an environment of its own, for its requirements are not those of Tallystick."""
    lock = APPS / "requirements.txt"
    folder = BUILD / f"quix-{_digest(lock)}"
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        _make([sys.executable, "-m", "venv", "--clear", str(folder)])
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
        _make([str(python), *install, "-r", str(lock)])
        (folder / "made").touch()
    return [str(python), "-m", "tests.bench.peers.quix_app"]


def _streams() -> list[str]:
    """Build the Maven project."""
    project = APPS / "streams"
    sources = sorted(path for path in project.rglob("*") if path.is_file())
    folder = BUILD / f"streams-{_digest(*sources, ROOT / 'proto' / 'tallystick' / 'v1' / 'transaction.proto')}"
    try:
        program = java()
    except NoKafkaError as error:
        raise UnavailableError(str(error)) from None
    if not (folder / "made").exists():
        maven = shutil.which("mvn")
        if maven is None:
            raise UnavailableError("the peer in Java is built by Maven, and there is no mvn on PATH")
        _make([maven, "--batch-mode", "--quiet", "--file", str(project / "pom.xml"), f"-Dpeer.build={folder}", "package"])
        (folder / "made").touch()
    logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [program, "-Xmx1g", logging, "-cp", f"{folder / 'classes'}:{folder / 'lib'}/*", "tallystick.peer.ScoringApp"]


PEERS = (
    Peer("confluent-kafka app", "confluent", 1.0, _confluent),
    Peer("Kafka Streams app, XGBoost4J", "streams", None, _streams),
    Peer("Quix Streams app", "quix", 3.0, _quix),
    Peer("Faust app", "faust", 40.0, _faust),
)


def _digest(*files: Path) -> str:
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _make(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MAKE_TIMEOUT_S)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-1_500:]
        raise UnavailableError(
            f"`{Path(command[0]).name} {' '.join(command[1:4])} …` failed with code {done.returncode}: {said}"
        )
