"""The peer on confluent-kafka: batches in, batches out, histories in memory, at least once by committing after a flush.

Run: `python -m tests.bench.peers.confluent_app`. The library has no state store: unlike the others, this app would have to
read 30 days again after a restart.
"""

import json
import time

from confluent_kafka import Consumer, KafkaException, Producer

from tallystick.contracts import Transaction

from .app import History, Scorer, Settings, observe

BATCH = 1_000
COMMIT_EVERY_S = 1.0


def main() -> None:
    """Run until told to stop."""
    settings = Settings()
    scorer = Scorer(settings)
    histories: dict[bytes, History] = {}
    consumer = Consumer(
        {
            "bootstrap.servers": settings.broker,
            "group.id": settings.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": settings.broker})
    consumer.subscribe([settings.source])
    committed_s, underway = time.monotonic(), False
    while True:
        messages = consumer.consume(BATCH, timeout=0.1)
        keys, transactions, features = [], [], []
        for message in messages:
            if error := message.error():
                raise KafkaException(error)
            key, transaction = message.key() or b"", Transaction.FromString(message.value() or b"")
            keys.append(key)
            transactions.append(transaction)
            features.append(observe(histories.setdefault(key, []), transaction))
        if messages:
            margins = scorer.margins(features)
            for key, transaction, margin in zip(keys, transactions, margins, strict=True):
                producer.produce(settings.target, key=key, value=json.dumps(scorer.decision(transaction, margin)))
            producer.poll(0)
            underway = True
        if underway and time.monotonic() - committed_s > COMMIT_EVERY_S:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed_s, underway = time.monotonic(), False


if __name__ == "__main__":
    main()
