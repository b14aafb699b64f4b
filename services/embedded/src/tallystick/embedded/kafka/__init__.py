"""Apache Kafka itself, as child processes on loopback: KRaft, one broker or three, from Maven's artefacts, without Docker.

`artefacts` finds Java and resolves the jars that `deploy/kafka/pom.xml` pins, `properties` is what a broker is told, `broker`
one process, `cluster` all of them. Unlike Tansu it has transactions, compaction and replicas, keeps its records over kill -9,
and needs Java 17 and, the first time, Maven. Not for production: brokers are their own controllers, without quotas or rights.
"""

from tallystick.embedded.kafka.artefacts import NoKafkaError, fetch, unavailable
from tallystick.embedded.kafka.broker import Broker
from tallystick.embedded.kafka.cluster import ApacheKafka
from tallystick.embedded.kafka.properties import Secured

__all__ = ["ApacheKafka", "Broker", "NoKafkaError", "Secured", "fetch", "unavailable"]
