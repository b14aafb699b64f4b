"""`make kafka`: Apache Kafka by hand, until Ctrl-C."""

import argparse
import contextlib
import signal
import sys
import time

from tallystick.embedded.kafka.artefacts import BUILD, fetch, unavailable
from tallystick.embedded.kafka.cluster import ApacheKafka, make_class_archive
from tallystick.embedded.process import StartError

_LOOK_S = 0.5


def main() -> int:
    """Run brokers, or only fetch what is needed to; return the exit code."""
    parser = argparse.ArgumentParser("python -m tallystick.embedded.kafka", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="how many (%(default)s)")
    parser.add_argument("--port", type=int, default=9092, help="of the first one (%(default)s)")
    parser.add_argument(
        "--fetch", action="store_true", help="only fetch the jars; without Java or Maven, say so and do nothing"
    )
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return _fetch() if args.fetch else _run(args.brokers, args.port)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _fetch() -> int:
    if reason := unavailable():
        sys.stderr.write(f"{reason}: tests on Apache Kafka are skipped\n")
        return 0
    try:
        fetch()
        make_class_archive()
    except StartError as error:
        sys.stderr.write(f"{error}\nTests on Apache Kafka are skipped.\n")
    return 0


def _run(brokers: int, port: int) -> int:
    kafka = ApacheKafka(BUILD / f"by-hand-{brokers}", brokers, port=port)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            kafka.start()
            sys.stdout.write(f"{kafka.bootstrap}\n")
            sys.stdout.flush()
            sys.stderr.write(f"Apache Kafka is up, its records are in {kafka.directory}. Ctrl-C ends it.\n")
            _watch(kafka)
        finally:
            kafka.stop()
    return 0


def _watch(kafka: ApacheKafka) -> None:
    """Say which brokers end, until none is left."""
    left = set(kafka.brokers)
    while left:
        for broker in {broker for broker in left if not broker.is_alive}:
            left.remove(broker)
            sys.stderr.write(f"broker {broker.number} has ended (code {broker.child.exit_code})\n")
        time.sleep(_LOOK_S)
    raise StartError("no broker is left")


if __name__ == "__main__":
    sys.exit(main())
