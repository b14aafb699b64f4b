"""Kafka, Vault and PostgreSQL from wheels, as child processes on loopback."""
