"""What the API wrote down for the governance log, sent to Kafka: at least once, in order.

A record is deleted when all replicas have it. A process that dies between the two sends it again, the same bytes, and the log
has it twice: an erasure that is told twice is one.
"""

import asyncpg
from aiokafka import AIOKafkaProducer

GOVERNANCE = "governance"
_BATCH = 100
_WAITING = "SELECT number, key, value FROM keys.outbox ORDER BY number LIMIT $1"
_SENT = "DELETE FROM keys.outbox WHERE number = ANY($1::bigint[])"


async def send(connection: asyncpg.Connection, producer: AIOKafkaProducer) -> int:
    """Send what waits, up to a batch of it, and return how many records that were. Raises KafkaError, asyncpg's errors."""
    rows = await connection.fetch(_WAITING, _BATCH)
    for row in rows:
        await producer.send_and_wait(GOVERNANCE, row["value"], key=row["key"].encode())
    if rows:
        await connection.execute(_SENT, [row["number"] for row in rows])
    return len(rows)
