"""How settings become options of Kafka clients."""

import ssl
from pathlib import Path

from tallystick.runtime.kafka import client_options
from tallystick.runtime.settings import KafkaSettings


def test_plaintext_needs_the_addresses_alone() -> None:
    """The list is split, and no credentials are made up."""
    options = client_options(KafkaSettings(kafka_bootstrap="a:1, b:2"))
    assert options == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_scram_over_tls_takes_the_password_from_its_file(tmp_path: Path) -> None:
    """The server's certificate and name are verified, and the password is the file's."""
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    settings = KafkaSettings(kafka_security_protocol="SASL_SSL", kafka_username="scoring", kafka_password_file=password)
    options = client_options(settings)
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("scoring", "s3cret")
    assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname
