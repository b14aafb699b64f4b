"""The peer in Faust: an agent over the topic, a RocksDB table of histories with its changelog, a topic of decisions.

Run: `faust -A tests.bench.peers.faust_app worker --without-web`.
"""

import faust

from tallystick.contracts import Transaction

from .app import History, Scorer, Settings, observe

settings = Settings()
scorer = Scorer(settings)
app = faust.App(
    settings.group,
    broker=f"kafka://{settings.broker}",
    store="rocksdb://",
    datadir=settings.state,
    topic_partitions=settings.partitions,
)
transactions = app.topic(settings.source, key_type=str, key_serializer="raw", value_type=bytes, value_serializer="raw")
decisions = app.topic(settings.target, key_type=str, key_serializer="raw", value_serializer="json")
histories = app.Table("histories", default=list)


@app.agent(transactions)
async def score(stream: faust.StreamT[bytes]) -> None:
    """Score every transaction."""
    async for customer_id, value in stream.items():
        transaction = Transaction.FromString(value)
        history: History = histories[customer_id]
        features = observe(history, transaction)
        histories[customer_id] = history
        (margin,) = scorer.margins([features])
        await decisions.send(key=customer_id, value=scorer.decision(transaction, margin))
