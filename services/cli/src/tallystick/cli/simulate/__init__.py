"""`tallystick simulate`: the public card-fraud handbook's simulated card stream, row for row.

Generates the stream of *Reproducible Machine Learning for Credit Card Fraud Detection* from its published recipe (5,000
customers, 10,000 terminals, 183 days from 2018-04-01), checks it against the known digest and writes it as Parquet. It takes
no other parameters: a stream that differs in one row is an error, not a variant.
"""

from tallystick.cli.simulate.command import add_arguments, run
from tallystick.cli.simulate.generator import generate
from tallystick.cli.simulate.parquet import to_table, write_parquet
from tallystick.cli.simulate.stream import CARD_STREAM_DIGEST, EPOCH_MS, CardStream, StreamMismatchError

__all__ = [
    "CARD_STREAM_DIGEST",
    "EPOCH_MS",
    "CardStream",
    "StreamMismatchError",
    "add_arguments",
    "generate",
    "run",
    "to_table",
    "write_parquet",
]
