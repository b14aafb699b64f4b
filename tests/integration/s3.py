"""An S3-compatible server (moto) as a process, and a client of another make to look into it."""

import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import boto3
import httpx
from botocore.config import Config

from tallystick.embedded import free_port
from tallystick.embedded.process import Child
from tallystick.runtime.settings import S3Settings

BUCKET = "logs"
START_TIMEOUT_S = 60.0


class S3Server:
    """Runs with its files in memory, at an address of its own, with one bucket; a context manager.

    Args:
        directory: where its output and the secret go.
        strict: whether it knows its users: then only `access_key` may come in, and only by its secret.

    """

    def __init__(self, directory: Path, *, strict: bool = False) -> None:
        self.port = free_port()
        self.access_key = "tallystick"
        self.secret_file = directory / "s3-secret"
        self.secret_file.write_text("not checked")
        self.child = Child("moto", directory / "s3.log")
        self._strict = strict

    @property
    def address(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        script = Path(sys.executable).parent / "moto_server"
        self.child.spawn([script, "-H", "127.0.0.1", "-p", str(self.port)])
        self.child.wait_until(self._answers, "answered", START_TIMEOUT_S)
        self.client().create_bucket(Bucket=BUCKET)
        if self._strict:
            self.access_key, self.secret_file = self.new_user("*")
            # From the next request on it asks who one is.
            httpx.post(f"{self.address}/moto-api/reset-auth", content=b"0").raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop()

    def suspend(self) -> None:
        """Let it hang: connections stay open, and nothing answers."""
        self.child.send(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.child.send(signal.SIGCONT)

    def settings(self, port: int | None = None, **changes: Any) -> S3Settings:
        """Return the settings by which a service reaches the server, at another port if given."""
        given: dict[str, Any] = {
            "s3_endpoint": f"http://127.0.0.1:{port or self.port}",
            "s3_access_key_id": self.access_key,
            "s3_secret_access_key_file": self.secret_file,
            "s3_timeout_s": 2.0,
        }
        return S3Settings(**(given | changes))

    def environment(self) -> dict[str, str]:
        """Return the same as a service's environment."""
        return {
            f"TALLYSTICK_{name.upper()}": str(value) for name, value in self.settings().model_dump(exclude_unset=True).items()
        }

    def client(self, service: str = "s3") -> Any:
        """Return boto3's client, which is not what the product uses."""
        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_file.read_text(),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return everything in the bucket below a prefix, by key without it."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key.removeprefix(prefix): client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def new_user(self, action: str) -> tuple[str, Path]:
        """Make a user who may do `action` and nothing else; return the access key and the file with its secret."""
        iam = self.client("iam")
        name = f"user-{uuid4().hex}"
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        file = self.secret_file.with_name(name)
        file.write_text(made["SecretAccessKey"])
        return made["AccessKeyId"], file
