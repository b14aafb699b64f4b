"""What every service needs around its core: settings, Kafka, Vault, PostgreSQL, telemetry, health."""
