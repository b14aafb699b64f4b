"""What every service needs around its core: settings, Kafka, Vault, PostgreSQL, log reading, health, logging and a clean stop.

All of it is input and output. What a record means, and whether it may be trusted, is decided in `tallystick.trust` and
`tallystick.merkle`, and in the services; nothing here decides it.
"""

from tallystick.runtime.lean_import import hidden

# httpx imports rich and pygments, where they are installed, for a command of its own: a third of its time at every start.
with hidden("rich"):
    import httpx as httpx
