"""From labelled transactions to a release: split by time, train on the first part, choose thresholds on the last."""

from collections.abc import Callable
from dataclasses import dataclass

from tallystick.trainer.card import Training
from tallystick.trainer.data import TrainingDataError, TrainingFile, Transactions
from tallystick.trainer.evaluation import choose_thresholds, metrics
from tallystick.trainer.features import feature_matrix
from tallystick.trainer.release import Release, make_release
from tallystick.trainer.training import train_model
from tallystick.trust.features import FeatureSchema

Say = Callable[[str], None]
"""Called with one line of progress."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train and how.

    Attributes:
        name: the model's name.
        version: its version.
        data_name: the data file's name, for the card.
        feature_schema: the schema's exact bytes.
        days: the days [A, B) of the file to use; None for all. What is before them is their history.
        holdout_days: the last days held out; used unless `holdout_share` is given.
        holdout_share: the share of transactions held out, the last ones.
        threads: for XGBoost; the model does not depend on it.
        created_at_ms: when, in milliseconds since 1970-01-01T00:00:00Z.
    """

    name: str
    version: str
    data_name: str
    feature_schema: bytes
    days: tuple[int, int] | None
    holdout_days: int
    holdout_share: float | None
    threads: int
    created_at_ms: int


def train(file: TrainingFile, plan: Plan, say: Say) -> Release:
    """Train and evaluate.

    Raises:
        TrainingDataError: the data does not give what the plan asks for, or a part of it has only one kind of label.
        FeatureSchemaError: the schema is not one.
    """
    schema = FeatureSchema.parse(plan.feature_schema)
    used = file.transactions if plan.days is None else file.transactions.days(*plan.days)
    cut = _cut(used, plan)
    trained, held_out = used.rows(0, cut), used.rows(cut, len(used))
    for part, name in ((trained, "training"), (held_out, "held-out")):
        if not part.fraud.any() or part.fraud.all():
            raise TrainingDataError(f"the {name} part ({len(part):,} transactions) needs fraud and genuine ones")
    say(f"{len(trained):,} transactions to train on, {len(held_out):,} held out; computing {len(schema.features)} features")
    # What comes before in the file is history: scoring has one too.
    until = file.transactions if plan.days is None else file.transactions.days(0, plan.days[1])
    matrix = feature_matrix(until, schema)[len(until) - len(used) :]
    model = train_model(matrix[:cut], trained.fraud, plan.threads, lambda done, total: _say_tenths(say, done, total))
    margins = model.margins(matrix[cut:])
    thresholds = choose_thresholds(margins, held_out.fraud)
    training = Training(
        plan.name,
        plan.version,
        plan.data_name,
        file.digest,
        schema,
        trained,
        held_out,
        model,
        thresholds,
        metrics(margins, held_out.fraud, thresholds),
    )
    return make_release(training, plan.feature_schema, plan.created_at_ms)


def _cut(used: Transactions, plan: Plan) -> int:
    """Return the first held-out row."""
    if plan.holdout_share is not None:
        return len(used) - round(len(used) * plan.holdout_share)
    if plan.days is None:
        raise TrainingDataError("days held out need the days to train on; give a share instead")
    return len(used.days(0, plan.days[1] - plan.days[0] - plan.holdout_days))


def _say_tenths(say: Say, done: int, total: int) -> None:
    if done * 10 % total == 0:
        say(f"{done} of {total} trees")
