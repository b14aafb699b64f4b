"""`tallystick-trainer train` and `tallystick-trainer publish`."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiokafka.errors import KafkaError

from tallystick.runtime.settings import load
from tallystick.trainer.data import TrainingDataError, read_training_file
from tallystick.trainer.publishing import SigningKeyError, read_signing_key, send_versions, sign_release, store_model
from tallystick.trainer.release import Release, ReleaseError, read_release, write_release
from tallystick.trainer.schemas import known_schemas, read_schema
from tallystick.trainer.settings import TrainerSettings
from tallystick.trainer.train import Plan, train
from tallystick.trust.features import FeatureSchemaError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two commands; 0 done, 1 failed, 2 not understood or wrong settings."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except (TrainingDataError, FeatureSchemaError, ReleaseError, SigningKeyError, KafkaError, OSError) as error:
        sys.stderr.write(f"tallystick-trainer: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tallystick-trainer", description="Train, evaluate and publish model versions.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(commands.add_parser("train", help="train a model and state what it is"))
    _add_publish(commands.add_parser("publish", help="sign a release and send it to the governance log"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet with labelled transactions")
    parser.add_argument("--schema", default="card-1", help=f"{', '.join(known_schemas())}, or a file (default: card-1)")
    parser.add_argument("--train-days", type=_days, metavar="A:B", help="use days A up to, not including, B, from 0")
    parser.add_argument("--holdout-days", type=int, default=7, metavar="N", help="the last N of them are held out (7)")
    parser.add_argument("--holdout-share", type=_share, metavar="S", help="hold out this share of transactions instead")
    parser.add_argument("--name", help="the model's name (default: the schema's)")
    parser.add_argument("--version", help="the model's version (default: now)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="threads for XGBoost")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for the release")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")
    parser.set_defaults(run=_train)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("release", type=Path, metavar="DIR", help="a folder that `train` wrote")
    parser.add_argument("--signer-key", type=Path, required=True, metavar="FILE", help="Ed25519 private key, PEM")
    parser.add_argument("--signer", required=True, metavar="NAME", help="the publisher's name in the trust policy")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")
    parser.set_defaults(run=_publish)


def _train(args: argparse.Namespace) -> int:
    created_at_ms = time.time_ns() // 1_000_000
    _say(f"reading {args.data}")
    plan = Plan(
        name=args.name or Path(args.schema).name.removesuffix(".json").rsplit("-", 1)[0],
        version=args.version or f"{datetime.fromtimestamp(created_at_ms / 1000, UTC):%Y%m%d%H%M%S}",
        data_name=args.data.name,
        feature_schema=read_schema(args.schema),
        days=args.train_days,
        holdout_days=args.holdout_days,
        holdout_share=args.holdout_share,
        threads=args.threads,
        created_at_ms=created_at_ms,
    )
    release = train(read_training_file(args.data), plan, _say)
    write_release(release, args.out)
    _report(release, args, {"release": str(args.out), "metrics": dict(release.model.metrics)})
    return 0


def _publish(args: argparse.Namespace) -> int:
    settings = load(TrainerSettings)
    release, key = read_release(args.release), read_signing_key(args.signer_key)
    path = store_model(release, settings.models_url)
    asyncio.run(send_versions(settings, *sign_release(release, key, args.signer), release))
    _report(release, args, {"model_file": str(path), "signer": args.signer})
    return 0


def _report(release: Release, args: argparse.Namespace, more: dict[str, object]) -> None:
    model = release.model
    outcome = {
        "name": model.name,
        "version": model.version,
        "model_digest": model.digest.hex(),
        "policy_digest": release.policy_digest.hex(),
        "decline_margin": release.policy.decline_margin,
        "review_margin": release.policy.review_margin,
        **more,
    }
    if args.json:
        sys.stdout.write(json.dumps(outcome) + "\n")
        return
    for name, value in outcome.items():
        lines = value.items() if isinstance(value, dict) else [(name, value)]
        sys.stdout.writelines(f"{label.replace('_', ' ')}: {figure}\n" for label, figure in lines)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _days(text: str) -> tuple[int, int]:
    first, _, stop = text.partition(":")
    days = int(first), int(stop)
    if not 0 <= days[0] < days[1]:
        raise ValueError(text)
    return days


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise ValueError(text)
    return share


if __name__ == "__main__":
    sys.exit(main())
