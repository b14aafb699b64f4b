"""All brokers: storage formatted, started side by side, stopped together."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from tallystick.embedded.kafka.artefacts import DEPLOY, class_archive, fetch, java
from tallystick.embedded.kafka.broker import Broker
from tallystick.embedded.kafka.properties import SCRAM, Node, Secured, broker_properties
from tallystick.embedded.ports import free_port
from tallystick.embedded.process import StartError

CLUSTER_ID = "dGFsbHlzdGljay1kZXYtMQ"
FORMAT_TIMEOUT_S = 60
# What Kafka's own script gives a broker, the heap apart.
_JVM = ("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
_JVM_FOR_A_MOMENT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m")


class ApacheKafka:
    """Apache Kafka in a directory, on free ports; a context manager.

        with ApacheKafka(Path("build/kafka/tests"), brokers=3) as kafka:
            kafka.bootstrap, kafka.brokers[0].kill(), kafka.brokers[0].start()

    With three brokers everything has three copies, of which two must have what counts as written. Records outlive `stop`, and
    a later cluster in the same directory, of as many brokers, has them. Blocking: from a coroutine, use `asyncio.to_thread`.

    Args:
        directory: for records and logs; made if it does not exist.
        brokers: 1 or 3 (any odd number; each is a controller too).
        port: of the first broker, the others follow; None for free ones.
        heap_mb: of each broker.
        settings: further broker settings, e.g. `{"broker.session.timeout.ms": "3000"}`.
        secured: listeners with TLS as well.
        jvm: options for Java, in place of the archive of classes that `make_class_archive` leaves.

    Raises:
        NoKafkaError: This machine has no Java, or the jars cannot be fetched.
    """

    def __init__(
        self,
        directory: Path,
        brokers: int = 1,
        *,
        port: int | None = None,
        heap_mb: int = 512,
        settings: Mapping[str, str] | None = None,
        secured: Secured | None = None,
        jvm: Sequence[str] = (),
    ) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._java = java()
        # In a stated order: an archive of classes is for one class path.
        self._classes = ":".join(str(jar) for jar in sorted(fetch().glob("*.jar")))
        archive = class_archive()
        self._jvm = jvm or ((f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ())
        self._secured = secured
        names = ("PLAINTEXT", "CONTROLLER", *(("SASL_SSL", "SSL") if secured else ()))
        ports = iter(_free_ports(brokers * len(names)))
        self._nodes = tuple(
            Node(number, self.directory / f"broker-{number}", {name: next(ports) for name in names})
            for number in range(1, brokers + 1)
        )
        if port is not None:
            self._nodes = tuple(
                Node(node.number, node.data, {**node.ports, "PLAINTEXT": port + node.number - 1}) for node in self._nodes
            )
        common = (DEPLOY / "broker.properties").read_text()
        self.brokers: tuple[Broker, ...] = tuple(
            self._broker(node, broker_properties(common, node, self._nodes, settings or {}, secured), heap_mb)
            for node in self._nodes
        )

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers, `host:port,…`, in the clear."""
        return self.listener("PLAINTEXT")

    @property
    def address(self) -> str:
        """The bootstrap servers, as `bootstrap`: what every embedded Kafka calls it."""
        return self.bootstrap

    def listener(self, name: str) -> str:
        """Return the bootstrap servers of a listener: `PLAINTEXT`, `SASL_SSL` or `SSL`."""
        return ",".join(f"127.0.0.1:{node.ports[name]}" for node in self._nodes)

    @property
    def pid(self) -> int:
        """The first broker's process id."""
        return self.brokers[0].pid

    @property
    def is_alive(self) -> bool:
        """True while any broker runs."""
        return any(broker.is_alive for broker in self.brokers)

    def spawn(self) -> None:
        """Format what storage is new and start all brokers, without waiting for them. Raises StartError."""
        with ThreadPoolExecutor(len(self._nodes)) as beside:
            list(beside.map(self._format, self._nodes))
        for broker in self.brokers:
            broker.spawn()

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until every broker answers and knows all others. Raises StartError."""
        for broker in self.brokers:
            broker.wait_ready(timeout_s, len(self.brokers))

    def start(self) -> None:
        """Start all brokers and wait until they answer; if one does not, stop the others. Raises StartError."""
        try:
            self.spawn()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float | None = None) -> None:
        """Stop all brokers side by side; those that are left without a majority are killed, which loses nothing."""
        with ThreadPoolExecutor(len(self.brokers)) as beside:
            list(beside.map(lambda broker: broker.stop(timeout_s), self.brokers))

    def kill(self) -> None:
        """Kill all brokers at once."""
        with ExitStack() as everything:
            for broker in self.brokers:
                everything.callback(broker.kill)

    def pause(self) -> None:
        """Let all brokers stand still."""
        for broker in self.brokers:
            broker.pause()

    def resume(self) -> None:
        """Let all brokers go on."""
        for broker in self.brokers:
            broker.resume()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _broker(self, node: Node, properties: str, heap_mb: int) -> Broker:
        self._file(node).write_text(properties)
        heap = (f"-Xms{heap_mb // 2}m", f"-Xmx{heap_mb}m")
        argv: list[str | Path] = [self._java, *heap, *_JVM, *self._jvm, *_logging("warn"), "-cp", self._classes]
        argv += ["kafka.Kafka", self._file(node)]
        return Broker(node.number, node.ports["PLAINTEXT"], argv, self.directory / f"broker-{node.number}.log")

    def _file(self, node: Node) -> Path:
        return self.directory / f"broker-{node.number}.properties"

    def _format(self, node: Node) -> None:
        if (node.data / "meta.properties").exists():
            return
        users = self._secured.users if self._secured else {}
        scram = [part for name, word in users.items() for part in ("--add-scram", f"{SCRAM}=[name={name},password={word}]")]
        argv = [self._java, *_JVM_FOR_A_MOMENT, *_logging("error"), "-cp", self._classes, "kafka.tools.StorageTool", "format"]
        done = subprocess.run(  # noqa: S603  the program is the machine's own
            [*argv, "--ignore-formatted", "--cluster-id", CLUSTER_ID, "--config", str(self._file(node)), *scram],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=FORMAT_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise StartError(f"Apache Kafka: {node.data} cannot be formatted (code {done.returncode}):\n{done.stdout[-2_000:]}")


def make_class_archive() -> None:
    """Let a broker run for a moment and leave an archive of its classes, once: those after it start in half the time."""
    archive = class_archive()
    if archive.exists():
        return
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        made = Path(folder) / archive.name
        with ApacheKafka(Path(folder), jvm=(f"-XX:ArchiveClassesAtExit={made}",)) as kafka:
            kafka.stop(FORMAT_TIMEOUT_S)
        with suppress(FileNotFoundError):  # a Java that makes none
            made.rename(archive)


def _logging(level: str) -> tuple[str, ...]:
    simple = "-Dorg.slf4j.simpleLogger"
    return (f"{simple}.defaultLogLevel={level}", f"{simple}.showDateTime=true", f"{simple}.dateTimeFormat=HH:mm:ss.SSS")


def _free_ports(count: int) -> list[int]:
    found = set[int]()
    while len(found) < count:
        found.add(free_port())
    return list(found)
