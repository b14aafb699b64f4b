"""The peer in Quix Streams: a streaming data frame with a stateful function, RocksDB state with its changelog, a topic out.

Run: `python -m tests.bench.peers.quix_app`, in an environment of `requirements.txt`.
"""

from quixstreams import Application, State
from quixstreams.models.serializers.protobuf import ProtobufDeserializer

from tallystick.contracts import Transaction

from .app import History, Scorer, Settings, observe


def main() -> None:
    """Run until told to stop."""
    settings = Settings()
    scorer = Scorer(settings)
    app = Application(
        broker_address=settings.broker,
        consumer_group=settings.group,
        auto_offset_reset="earliest",
        state_dir=settings.state,
    )
    transactions = app.topic(settings.source, value_deserializer=ProtobufDeserializer(Transaction, to_dict=False))
    decisions = app.topic(settings.target, value_serializer="json")

    def score(transaction: Transaction, state: State) -> dict[str, object]:
        history: History = state.get("history", default=[])
        features = observe(history, transaction)
        state.set("history", history)
        (margin,) = scorer.margins([features])
        return scorer.decision(transaction, margin)

    app.dataframe(transactions).apply(score, stateful=True).to_topic(decisions)
    app.run()


if __name__ == "__main__":
    main()
