"""Kafka, Vault, PostgreSQL, an EVM chain and an OIDC issuer, on loopback, without Docker or root rights.

`EmbeddedStack` runs the first three in a directory, as child processes; `ServiceProcess` runs one of Tallystick's own services
beside them. Nothing here knows what Tallystick keeps in these servers: that is `tallystick provision`. Not for production: one
node each, no TLS, and Kafka (Tansu) keeps its records in memory. All come from wheels; `ApacheKafka` alone, which may take
Tansu's place, needs Java.
"""

from tallystick.embedded.evm import Evm
from tallystick.embedded.issuer import LocalIssuer
from tallystick.embedded.kafka import ApacheKafka
from tallystick.embedded.openbao import OpenBao
from tallystick.embedded.ports import free_port
from tallystick.embedded.postgres import Postgres
from tallystick.embedded.process import StartError
from tallystick.embedded.service_process import ServiceProcess
from tallystick.embedded.stack import EmbeddedStack
from tallystick.embedded.tansu import Tansu
from tallystick.embedded.tsa import Tsa
from tallystick.embedded.tsa import is_available as tsa_is_available

__all__ = [
    "ApacheKafka",
    "EmbeddedStack",
    "Evm",
    "LocalIssuer",
    "OpenBao",
    "Postgres",
    "ServiceProcess",
    "StartError",
    "Tansu",
    "Tsa",
    "free_port",
    "tsa_is_available",
]
