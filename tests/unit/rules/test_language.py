"""The rules' language: what it takes, what it refuses and how it says so."""

import re

import pytest

from tallystick.rules.language import MAX_DEPTH, Column, Kind, Literal, Operation, RuleError, columns_of, parse

FEATURES = ("amount", "customer_count_1d", "card present")


@pytest.mark.parametrize(
    "expression",
    [
        "margin >= 1.25",
        "transaction.amount_minor > 50000 AND transaction.currency <> 'EUR'",
        "not feature.amount < 10 or transaction.hour between 1 and 5",
        "transaction.merchant_id IN ('m-17', 'it''s') AND transaction.source IS NOT NULL",
        'feature."card present" = 0',
        'ABS(attribute."any name at all") * 2 - 1 > COALESCE(attribute.x, 0)',
        "transaction.weekday NOT IN (5, 6, -1)",
        "(margin > 0) = (feature.amount > 1)",
        "transaction.amount_minor / feature.customer_count_1d > 3\n  AND TRUE",
    ],
)
def test_conditions_are_read(expression: str) -> None:
    """What the language has, it takes, in any letter case and over several lines."""
    assert parse(expression, FEATURES).kind == Kind.TRUTH


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "a value belongs here"),
        ("margin", "a number is no condition"),
        ("TRUE", "names nothing of the transaction"),
        ("margin > 'x'", "a number is compared with text"),
        ("transaction.currency > 'EUR'", "which is for numbers"),
        ("transaction.terminal_id = 5", "text is compared with a number"),
        ("NOT margin", "NOT takes a condition"),
        ("margin > 1 AND feature.amount", "AND takes a condition"),
        ("feature.amout > 1", "there is no feature.amout"),
        ("transaction.customer_id = 'c'", "there is no transaction.customer_id"),
        ("transaction.transaction_id = 'c'", "there is no transaction.transaction_id"),
        ("amount > 1", "is no column"),
        ("margin > 1; margin > 2", "cannot be read"),
        ("margin > 1 -- 2", "cannot be read"),
        ("margin > 1 /* rest */", "a value belongs here"),
        ("margin > (SELECT 1)", "'SELECT' is no column"),
        ("SUM(margin) > 1", "'SUM' is no column"),
        ("RANDOM() > 1", "'RANDOM' is no column"),
        ("margin > 1e3", "cannot be read"),
        ("margin > 1.", "cannot be read"),
        ("margin > 1234567890123456", "more than 15 digits"),
        ("margin IN (feature.amount)", "numbers or text belong into IN"),
        ("margin IN ('a')", "IN takes a number"),
        ("margin IN ()", "a value belongs here"),
        ("transaction.source IN (-'a')", "text has no sign"),
        ("margin NOT > 1", "IN or BETWEEN belongs behind NOT"),
        ("margin > 1 margin", "its end belongs here"),
        ("feature.", "a name belongs behind the dot"),
        ("transaction.source = 'a\x00'", "not printable"),
        ("ABS(margin, 1) > 1", "ABS takes one number"),
        ("COALESCE(margin, 'x') > 1", "COALESCE takes a number"),
        ("(" * (MAX_DEPTH + 1) + "margin > 1" + ")" * (MAX_DEPTH + 1), "nested more than"),
        ("NOT " * 40 + "margin > 1", "nested more than"),
        ("margin > " + "- " * 40 + "1", "nested more than"),
        ("margin > 1" + " " * 1000, "more than 1000"),
        (" OR ".join(["margin>1"] * 70), "words and signs"),
        ("margin > 'open", "cannot be read"),
    ],
)
def test_everything_else_is_refused_in_words(expression: str, reason: str) -> None:
    """Whatever is not of the language says what is wrong."""
    with pytest.raises(RuleError, match=re.escape(reason)):
        parse(expression, FEATURES)


def test_a_rule_names_its_columns() -> None:
    """Each column once, by its full name."""
    condition = parse('margin > 1 AND (attribute."a b" > 2 OR transaction.hour = 3 OR margin < 0)')
    assert columns_of(condition) == {"margin", "attribute.a b", "transaction.hour"}


def test_precedence_is_sqls() -> None:
    """OR binds least, then AND, then NOT; multiplication before addition, and both from the left."""
    condition = parse("NOT margin > 1 AND margin < 9 OR margin - 1 - 2 * 3 = 4")
    assert isinstance(condition, Operation)
    assert condition.operator == "or"
    first, last = condition.operands
    assert isinstance(first, Operation)
    assert [part.operator for part in first.operands if isinstance(part, Operation)] == ["not", "<"]
    assert isinstance(last, Operation)
    difference = last.operands[0]
    assert isinstance(difference, Operation)
    assert (difference.operator, [type(part) for part in difference.operands]) == ("-", [Operation, Operation])
    assert difference.operands[0] == Operation("-", (Column("margin", Kind.NUMBER), Literal(1.0, Kind.NUMBER)), Kind.NUMBER)
