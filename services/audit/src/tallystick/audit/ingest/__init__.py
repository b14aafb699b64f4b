"""Copies the topic `evidence` into PostgreSQL, each record once: positions move in the transaction that writes the rows."""
