"""`tallystick stream`: transactions from a file into Kafka, as a bank would send them.

Reads Parquet or JSON lines, moves the event times so that the stream ends now (Kafka deletes records by their time stamp),
encodes by column and fills the producer's batches by hand. It sends what the file says: whether a transaction is acceptable
is scoring's to decide.
"""

from tallystick.cli.stream.command import add_arguments, run
from tallystick.cli.stream.encoding import encode_transactions
from tallystick.cli.stream.labelling import send_labels
from tallystick.cli.stream.reading import BadLine, TransactionFileError, read_transactions
from tallystick.cli.stream.sending import StreamError, StreamReport, StreamSettings, stream_table
from tallystick.cli.stream.shifting import Shift, shift_ms

__all__ = [
    "BadLine",
    "Shift",
    "StreamError",
    "StreamReport",
    "StreamSettings",
    "TransactionFileError",
    "add_arguments",
    "encode_transactions",
    "read_transactions",
    "run",
    "send_labels",
    "shift_ms",
    "stream_table",
]
