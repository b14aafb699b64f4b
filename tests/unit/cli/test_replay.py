"""`tallystick replay`."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tallystick.cli.main import main
from tallystick.contracts import Outcome, PolicyRule, PolicyStatement, ReasonCode, TransactionDetails
from tallystick.trust.decisions import score_of

from ..trust.helpers import NOW_MS, World, model_statement
from .models import engine_margins, rows, train

ROW = (12.5, float("nan"))


@pytest.fixture(scope="module")
def model() -> bytes:
    """Return a model of the test schema's two features."""
    return train(rows(4, 500, 2, missing=0.1), 20, max_depth=4, base_score=0.3)


def world(model: bytes, margin: float | None = None, features: tuple[float, ...] = ROW) -> World:
    """Return a world in which the decision on ROW is this model's own, unless told otherwise."""
    if margin is None:
        margin = float(engine_margins(model, np.array([ROW], dtype=np.float32))[0])
    statement = model_statement(digest=sha256(model).digest(), size_bytes=len(model))
    return World(margin=margin, features=features, model=statement)


def replay(folder: Path, bundle: bytes, model: bytes, *options: str) -> int:
    """Run the command."""
    (folder / "bundle.json").write_bytes(bundle)
    (folder / "model.json").write_bytes(model)
    paths = [str(folder / "bundle.json"), "--policy", str(folder / "policy"), "--model", str(folder / "model.json")]
    return main(["replay", *paths, *options])


@pytest.mark.parametrize("engine", ["both", "own", "xgboost"])
def test_a_decision_is_executed_again_to_the_same_bits(
    folder: Path, model: bytes, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Margin bits, score and outcome are the logged ones, with each engine."""
    decided = world(model)
    assert replay(folder, decided.bundle("features"), model, "--engine", engine, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["identical"] is True
    engines = ["own", "xgboost"] if engine == "both" else [engine]
    assert [execution["engine"] for execution in document["executions"]] == engines
    for execution in document["executions"]:
        assert execution["margin_bits"] == document["logged"]["margin_bits"] == f"{decided.decision.margin_bits:08x}"
        assert execution["score"] == score_of(decided.margin)


def test_people_read_lines(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for what is logged and one for each engine."""
    decided = world(model)
    assert replay(folder, decided.bundle("features"), model) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "IDENTICAL"
    assert [line.split(":")[0] for line in lines[1:]] == ["logged", "own", "xgboost"]
    assert len({line.split(": ")[1] for line in lines[1:]}) == 1


def test_one_bit_of_the_margin_is_noticed(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A logged margin next to the true one is not identical, though score and outcome are."""
    margin = float(np.nextafter(np.float32(world(model).margin), np.float32(np.inf)))
    assert replay(folder, world(model, margin=margin).bundle("features"), model, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["identical"] is False
    assert document["reason"] == "own and xgboost did not give what the log holds"
    assert {each["score"] for each in document["executions"]} == {document["logged"]["score"]}


def test_other_features_are_noticed(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Committed features that do not lead to the logged margin are not identical."""
    assert replay(folder, world(model, features=(-40.0, 2.0)).bundle("features"), model) == 1
    assert capsys.readouterr().out.startswith("NOT IDENTICAL\n")


def test_another_model_file_is_not_executed(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """The file must have the logged SHA-256; one byte more or less is another model."""
    bundle = world(model).bundle("features")
    for other in (model + b" ", model[:-1], train(rows(5, 100, 2), 1)):
        assert replay(folder, bundle, other) == 1
        assert "is not the logged model, whose SHA-256 is" in capsys.readouterr().out


def test_a_bundle_that_is_not_sound_is_not_executed(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Verification comes first."""
    bundle = world(model).bundle("features").replace(b'"index": 5', b'"index": 4')
    assert replay(folder, bundle, model, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert "the decision is not in the log" in document["reason"]
    assert document["executions"] == []


def test_without_features_there_is_nothing_to_execute(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """The features must be disclosed; that they are not is no verdict."""
    assert replay(folder, world(model).bundle("explanation"), model) == 2
    assert "does not disclose `features`" in capsys.readouterr().err


def test_a_rejected_record_was_never_executed(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """No model was asked, so there is nothing to compare."""
    decided = world(model)
    decided.reject(ReasonCode.REASON_CODE_VALUE_NULL)
    assert replay(folder, decided.bundle(), model) == 2
    assert "holds a rejected record" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "engine", "words"),
    [
        (b"{}", "own", "own evaluator: the model is not XGBoost's JSON"),
        (b"{}", "xgboost", "XGBoost: "),
        (train(rows(5, 100, 3), 1), "own", "takes 3 float32 features"),
        (train(rows(5, 100, 3), 1), "xgboost", "the model takes 3 features, and 2 are disclosed"),
    ],
)
def test_a_model_that_no_engine_can_execute_is_no_verdict(
    folder: Path, file: bytes, engine: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A logged model that is unusable is said to be so, without calling the decision wrong."""
    statement = model_statement(digest=sha256(file).digest(), size_bytes=len(file))
    bundle = World(model=statement).bundle("features")
    assert replay(folder, bundle, file, "--engine", engine) == 2
    assert words in capsys.readouterr().err


def test_files_that_are_not_there_are_no_verdict(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing model file is a usage error."""
    (folder / "bundle.json").write_bytes(world(model).bundle("features"))
    arguments = ["replay", str(folder / "bundle.json"), "--policy", str(folder / "policy"), "--model", str(folder / "nowhere")]
    assert main(arguments) == 2
    assert "nowhere: No such file" in capsys.readouterr().err


RULES = [("dear", "transaction.amount_minor > 1000"), ("odd", "feature.amount = 12.5 AND attribute.risk > 3")]


def ruled(model: bytes, *applied: str, attributes: dict[str, float] | None = None) -> World:
    """Return a world whose policy has rules that ask for review, and whose decision says which of them applied."""
    plain = world(model)
    rules = [PolicyRule(name=name, outcome=Outcome.OUTCOME_REVIEW, when=when) for name, when in RULES]
    policy = PolicyStatement(
        name="ruled", version="1", decline_margin=50, review_margin=49, max_value_bytes=60_000, rules=rules
    )
    details = TransactionDetails(amount_minor=1250, currency="EUR", event_time_ms=NOW_MS, attributes=attributes or {})
    made = World(
        margin=plain.margin,
        features=ROW,
        model=plain.model,
        policy=policy,
        contents={"transaction": details.SerializeToString()},
    )
    made.decision.applied.extend(applied)
    if applied:
        made.decision.outcome = Outcome.OUTCOME_REVIEW
        made.decision.reasons[:] = [ReasonCode.REASON_CODE_RULE_REVIEW]
    return made


GROUPS = ("features", "transaction")


def test_rules_are_evaluated_again_on_the_evidence(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the decision names apply, and no other; an attribute that the evidence lacks makes a rule not apply."""
    assert replay(folder, ruled(model, "dear").bundle(*GROUPS), model, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [execution["applied"] for execution in document["executions"]] == [["dear"]] * 2
    assert replay(folder, ruled(model, "dear", "odd", attributes={"risk": 4.0}).bundle(*GROUPS), model) == 0
    assert "REVIEW, by dear and odd" in capsys.readouterr().out


@pytest.mark.parametrize("applied", [(), ("odd",), ("dear", "odd")])
def test_a_decision_that_names_other_rules_was_not_made_so(
    folder: Path, model: bytes, applied: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Left out, invented or too many: neither replay nor verify lets it pass, though outcome and reasons follow from it."""
    bundle = ruled(model, *applied).bundle(*GROUPS)
    assert replay(folder, bundle, model, "--json") == 1
    assert json.loads(capsys.readouterr().out)["identical"] is False
    assert main(["verify", str(folder / "bundle.json"), "--policy", str(folder / "policy")]) == 1
    assert "of the policy's rules and lists dear apply to the evidence" in capsys.readouterr().out


def test_what_the_rules_are_about_must_be_disclosed(folder: Path, model: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Replay says what is missing; verify says that it was not checked, and that it was where it could be."""
    decided = ruled(model, "dear")
    assert replay(folder, decided.bundle("features"), model) == 2
    assert "the policy is about transaction, which the bundle does not disclose" in capsys.readouterr().err
    verify = ["verify", str(folder / "bundle.json"), "--policy", str(folder / "policy"), "--json"]
    assert main(verify) == 0
    told = json.loads(capsys.readouterr().out)
    assert any("whether just these rules and lists applied" in left for left in told["unchecked"])
    (folder / "bundle.json").write_bytes(decided.bundle(*GROUPS))
    assert main(verify) == 0
    told = json.loads(capsys.readouterr().out)
    assert any("apply just as the decision says" in check for check in told["checks"])
    assert not any("whether just these rules" in left for left in told["unchecked"])
