"""What is said of gateways' answers: in rows and sentences, and as JSON."""

from dataclasses import asdict
from typing import Any

from tallystick.cli.completeness.answering import Given
from tallystick.contracts import Outcome

_SHOWN = 8


def never_decided(given: Given) -> list[str]:
    """Return a sentence for each of the first answers after which the log's decisions passed over their transaction."""
    never = given.answers.never
    lines = [
        f"partition {one.partition}, offset {one.offset:,}: a gateway answered {_name(one.answered)} without a decision,"
        " and none was made since"
        for one in never[:_SHOWN]
    ]
    return [*lines, f"{len(never):,} such answers in all"] if len(never) > _SHOWN else lines


def answer_rows(given: Given) -> list[tuple[str, str]]:
    """Return what became of the answers of the time, if there were any."""
    answers = given.answers
    if not (answers.decided or answers.never or answers.waiting):
        return []
    otherwise = answers.decided - answers.same
    counts = f"{answers.same:,} decided as answered, {otherwise:,} otherwise, {len(answers.never):,} never"
    return [("answered without a decision", f"{counts}; {answers.waiting:,} not decided yet")]


def answer_remarks(given: Given) -> list[str]:
    """Return what is worth knowing though it breaks nothing: which were decided otherwise, and what never came."""
    lines = list(given.notes)
    for (answered, decided), count in sorted(given.answers.counts.items()):
        if answered != decided:
            some = [one for one in given.answers.otherwise if (one.answered, one.decided) == (answered, decided)][:_SHOWN]
            places = "; ".join(f"partition {one.partition}, sequence {one.sequence:,}" for one in some)
            more = "; …" if count > len(some) else ""
            lines.append(f"{count:,} answered {_name(answered)} by a gateway and decided {_name(decided)}: {places}{more}")
    if withdrawn := given.counts.get("WITHDRAWN"):
        lines.append(f"{withdrawn:,} answers of gateways, in any time, were written down and withdrawn: nobody was given them")
    return lines


def answers_as_json(given: Given) -> dict[str, Any]:
    """Return it as machines read it: `log` is of the whole log, the rest of the time."""
    answers = given.answers
    return {
        "decided_as_answered": answers.same,
        "decided_otherwise": answers.decided - answers.same,
        "never_decided": len(answers.never),
        "not_decided_yet": answers.waiting,
        "otherwise": [
            {**asdict(one), "answered": _name(one.answered), "decided": None if one.decided is None else _name(one.decided)}
            for one in answers.otherwise
        ],
        "never": [{"partition": one.partition, "offset": one.offset, "answered": _name(one.answered)} for one in answers.never],
        "log": given.counts,
    }


def _name(outcome: Outcome) -> str:
    return Outcome.Name(outcome).removeprefix("OUTCOME_")
