"""The model card: what a model was made from and how well it did, for people."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tallystick.trainer.data import Transactions
from tallystick.trainer.evaluation import THRESHOLD_RULE, Thresholds
from tallystick.trainer.training import MAX_DEPTH, ROUNDS, SEED, Model
from tallystick.trust.features import FeatureSchema


@dataclass(frozen=True, slots=True)
class Training:
    """One training run, as the card tells it.

    Attributes:
        name: the model's name.
        version: its version.
        data_name: the data file's name, without its folder.
        data_digest: SHA-256 of the data file.
        schema: the features.
        trained: the transactions it was trained on.
        held_out: those after them, which it was evaluated on.
        model: what came out.
        thresholds: chosen on `held_out`.
        metrics: measured on `held_out`.
    """

    name: str
    version: str
    data_name: str
    data_digest: bytes
    schema: FeatureSchema
    trained: Transactions
    held_out: Transactions
    model: Model
    thresholds: Thresholds
    metrics: dict[str, float]


def model_card(training: Training) -> str:
    """Write the card in Markdown."""
    metrics = "\n".join(f"| {name.replace('_', ' ')} | {value:.6g} |" for name, value in training.metrics.items())
    return f"""# {training.name} {training.version}

Scores card transactions for fraud; a higher margin is more suspicious.

## Data

| | from | to | transactions | fraud |
|---|---|---|---|---|
| trained on | {_period(training.trained)} |
| held out | {_period(training.held_out)} |

File `{training.data_name}`, SHA-256 `{training.data_digest.hex()}`. The held-out part comes after the training part, and its
windows know the history before it.

## Model

{training.model.engine}: {ROUNDS} trees of depth {MAX_DEPTH}, histogram method, logistic loss, base score 0.5, seed {SEED}.
File of {len(training.model.file):,} bytes, SHA-256 `{training.model.digest.hex()}`.

Features, by schema {training.schema.name} {training.schema.version} (SHA-256 `{training.schema.digest.hex()}`):
{", ".join(training.schema.names)}.

## Held-out figures

| figure | value |
|---|---|
{metrics}

Thresholds were chosen on the same part, so the shares declined and reviewed are somewhat flattering; AUC and average precision
depend on no threshold.

## Thresholds

{THRESHOLD_RULE}
Here: decline from {training.thresholds.decline_margin:.6g}, review from {training.thresholds.review_margin:.6g} (margins).

## Limits

Trained on labels that are all known at once; in service they come late. Nothing here was tested for fairness between groups of
customers. The model does nothing until two approvers activate it.
"""


def _period(part: Transactions) -> str:
    first, last = (datetime.fromtimestamp(int(part.event_time_ms[at]) / 1000, UTC) for at in (0, -1))
    counts = f"{len(part):,} | {int(part.fraud.sum()):,}"
    return f"{first:%Y-%m-%d %H:%M} | {last:%Y-%m-%d %H:%M} UTC | {counts}"
