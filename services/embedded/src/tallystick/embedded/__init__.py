"""Kafka, Vault and PostgreSQL from wheels, as child processes on loopback, for one machine without Docker or root rights.

`EmbeddedStack` runs all three in a directory; `ServiceProcess` runs one of Tallystick's own services beside them. Nothing here
knows what Tallystick keeps in these servers: that is `tallystick provision`. Not for production: one node each, no TLS, and
Kafka (Tansu) keeps its records in memory.
"""

from tallystick.embedded.openbao import OpenBao
from tallystick.embedded.ports import free_port
from tallystick.embedded.postgres import Postgres
from tallystick.embedded.process import StartError
from tallystick.embedded.service_process import ServiceProcess
from tallystick.embedded.stack import EmbeddedStack
from tallystick.embedded.tansu import Tansu

__all__ = ["EmbeddedStack", "OpenBao", "Postgres", "ServiceProcess", "StartError", "Tansu", "free_port"]
