"""Java, and Apache Kafka's jars: fetched once by Maven into `build/kafka`, at the versions that `deploy/kafka/pom.xml` pins."""

import contextlib
import fcntl
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from tallystick.embedded.process import StartError

JAVA_VERSION = 17
FETCH_TIMEOUT_S = 600.0
_CHECKOUT = Path(__file__).resolve().parents[6]
DEPLOY = _CHECKOUT / "deploy" / "kafka"
BUILD = _CHECKOUT / "build" / "kafka"


class NoKafkaError(StartError):
    """Apache Kafka cannot be run on this machine; the message says what is missing and what to do."""


def java() -> str:
    """Return the path of a Java that runs Kafka. Raises NoKafkaError."""
    found = shutil.which("java")
    if found is None:
        raise NoKafkaError(f"Apache Kafka needs Java {JAVA_VERSION} or newer, and there is no java on PATH")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603  the program is the machine's own
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_VERSION:
        first = said.splitlines()[0] if said else "nothing"
        raise NoKafkaError(f"Apache Kafka needs Java {JAVA_VERSION} or newer; {found} says: {first}")
    return found


def fetch(timeout_s: float = FETCH_TIMEOUT_S) -> Path:
    """Return the folder with the jars, fetched by Maven if they are not there; several processes may ask at once.

    Raises:
        NoKafkaError: There is no Maven, or it does not get them within `timeout_s`.
    """
    jars = _folder()
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafkaError(f"Apache Kafka's jars are fetched by Maven the first time, and there is no mvn on PATH ({jars})")
    BUILD.mkdir(parents=True, exist_ok=True)
    with _alone(BUILD / ".lock"):
        if not jars.is_dir():
            sys.stderr.write("fetching Apache Kafka with Maven, once (about 45 MB) ...\n")
            with tempfile.TemporaryDirectory(dir=BUILD) as fresh:
                _copy_dependencies(maven, Path(fresh) / "jars", timeout_s)
                (Path(fresh) / "jars").rename(jars)
    return jars


def class_archive() -> Path:
    """Return where an archive of Kafka's classes is, once one has been made: Java reads it faster than the jars."""
    return _folder().with_suffix(".jsa")


def unavailable() -> str | None:
    """Return why Apache Kafka cannot be run here, None if it can; fetches nothing."""
    try:
        java()
        if not _folder().is_dir() and shutil.which("mvn") is None:
            return f"Apache Kafka's jars are not in {_folder()}, and there is no mvn on PATH to fetch them"
    except NoKafkaError as error:
        return str(error)
    return None


def _folder() -> Path:
    """Return where the jars of these versions are."""
    pom = DEPLOY / "pom.xml"
    if not pom.is_file():
        raise NoKafkaError(f"Apache Kafka is run from a checkout of Tallystick: there is no {pom}")
    return BUILD / f"jars-{sha256(pom.read_bytes()).hexdigest()[:12]}"


def _copy_dependencies(maven: str, folder: Path, timeout_s: float) -> None:
    argv = [maven, "--batch-mode", "--quiet", "--file", str(DEPLOY / "pom.xml"), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(  # noqa: S603  the program is the machine's own
            [*argv, f"-DoutputDirectory={folder}", "-DincludeScope=runtime"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise NoKafkaError(f"Maven has not fetched Apache Kafka within {timeout_s:g} s; try again") from error
    if done.returncode != 0 or not folder.is_dir():
        raise NoKafkaError(f"Maven could not fetch Apache Kafka (code {done.returncode}):\n{done.stdout[-2_000:]}")


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
