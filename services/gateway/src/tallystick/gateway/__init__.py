"""HTTP in front of Kafka, for callers that want a decision at once."""
