"""The language of a policy's rules: SQL's conditions, as far as they are about one transaction alone.

    transaction.amount_minor > 50000 AND transaction.currency <> 'EUR' AND NOT feature.customer_count_1d < 10
    transaction.merchant_id IN ('m-17', 'm-18') OR attribute."card present" = 0 OR margin >= 1.25

What there is, in order of precedence: `OR`; `AND`; `NOT`; `= <> != < <= > >=`, `[NOT] IN (…)`, `[NOT] BETWEEN … AND …`,
`IS [NOT] NULL`; `+ -`; `* /`; `-`; parentheses, `ABS(x)`, `COALESCE(x, y, …)`. Literals are numbers, 'text', TRUE and FALSE.

Columns (`columns` has their values): `margin`; `transaction.` amount_minor, currency, event_time_ms, hour, weekday,
terminal_id, merchant_id, source; `feature.` and `attribute.` with a name, in double quotes if it is no plain word.

Numbers are float64, text is compared by its bytes and only with = and <>. What is not known is NULL, by SQL's three-valued
logic: a comparison with NULL is NULL, `NULL AND FALSE` is FALSE, `NULL OR TRUE` is TRUE; an absent attribute, an empty id and
an arithmetic result that is no number (x / 0 among them) are NULL. A rule applies where its condition is TRUE.

There is no way to name another row, the time, chance or a file, so what a rule says of a transaction is the same in any batch,
at any time, on any machine. This module parses and checks; it evaluates nothing.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, NoReturn

from tallystick.contracts import PolicyStatement

MAX_CHARACTERS = 1_000
MAX_TOKENS = 250
MAX_DEPTH = 32
MAX_DIGITS = 15
"""Numbers of up to so many digits mean the same float64 to every program that reads them."""


class RuleError(ValueError):
    """A rule's expression is not one of the language; the message says where and why."""


class Kind(Enum):
    """What a node's value is."""

    NUMBER = "a number"
    TEXT = "text"
    TRUTH = "a condition"


@dataclass(frozen=True, slots=True)
class Column:
    """A value of the transaction, by its full name, such as "feature.amount"."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: float | str | bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with its operands.

    `operator` is one of: or, and, not, =, <>, <, <=, >, >=, in (the first operand among the others, which are literals), null,
    +, -, *, /, abs, coalesce.
    """

    operator: str
    operands: tuple["Node", ...]
    kind: Kind


Node = Column | Literal | Operation

NUMBERS = frozenset({"amount_minor", "event_time_ms", "hour", "weekday"})
TEXTS = frozenset({"currency", "terminal_id", "merchant_id", "source"})
MARGIN = "margin"

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?(?![0-9A-Za-z_.]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | "(?P<quoted>[^"]+)"
    | '(?P<text>(?:[^']|'')*)'
    | (?P<sign><>|!=|<=|>=|-(?!-)|[+*/=<>(),.])   # two minus signs begin a comment in SQL
    )""",
    re.VERBOSE,
)
_END = "its end"
_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_WORDS = frozenset({"OR", "AND", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE"})
_NUMBER, _TEXT, _TRUTH = Kind.NUMBER, Kind.TEXT, Kind.TRUTH


class _Token(NamedTuple):
    """`sort`: number, word, quoted, text, sign or end."""

    sort: str
    text: str
    place: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.sort == "word" else self.text if self.sort in ("sign", "end") else ""


def parse(expression: str, features: Collection[str] | None = None) -> Node:
    """Return the condition that an expression states.

    Args:
        expression: the rule's text.
        features: the names of the features that there are; if None, any name passes.

    Raises:
        RuleError: It is not one condition of this language; nothing else, whatever the text.
    """
    if len(expression) > MAX_CHARACTERS:
        raise RuleError(f"it has {len(expression)} characters, more than {MAX_CHARACTERS}")
    tokens = _tokens(expression)
    parser = _Parser(tokens, features)
    node = parser.condition()
    parser.expect(_END)
    if not columns_of(node):
        raise RuleError("it names nothing of the transaction, so it is no rule but a constant")
    return node


def parse_rules(statement: PolicyStatement, features: Collection[str] | None) -> list[Node]:
    """Return the policy's rules as conditions, in its order; `features` as in `parse`.

    Raises:
        RuleError: One is not of the language; the message names it.
    """
    conditions = []
    for rule in statement.rules:
        try:
            conditions.append(parse(rule.when, features))
        except RuleError as error:
            raise RuleError(f"the rule {rule.name!r}: {error}") from None
    return conditions


def columns_of(node: Node) -> frozenset[str]:
    """Return the full names of the columns that a node is about."""
    if isinstance(node, Column):
        return frozenset({node.name})
    return frozenset().union(*map(columns_of, node.operands)) if isinstance(node, Operation) else frozenset()


def _tokens(expression: str) -> list[_Token]:
    tokens, place, text = [], 0, expression.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            start = len(text) - len(text[place:].lstrip())
            raise RuleError(f"character {start + 1}, {text[start : start + 12]!r}, cannot be read")
        content = found[found.lastgroup]
        if not content.isprintable():
            raise RuleError(f"character {found.start(found.lastgroup) + 1} begins something that is not printable")
        tokens.append(_Token(found.lastgroup, content, found.start(found.lastgroup) + 1))
        place = found.end()
    if len(tokens) > MAX_TOKENS:
        raise RuleError(f"it has {len(tokens)} words and signs, more than {MAX_TOKENS}")
    return [*tokens, _Token("end", _END, len(text) + 1)]


class _Parser:
    """Recursive descent over the tokens; each method reads what it is named after."""

    def __init__(self, tokens: list[_Token], features: Collection[str] | None) -> None:
        self._tokens = tokens
        self._features = features
        self._at = 0
        self._depth = 0

    def condition(self) -> Node:
        """Read a whole condition."""
        start = self._tokens[self._at]
        node = self._deeper(self._or)
        return node if node.kind == _TRUTH else self._refuse(f"{node.kind.value} is no condition", start)

    def expect(self, word: str) -> None:
        """Take the token that must come here."""
        if not self._take(word):
            self._refuse(f"{word} belongs here, not {self._tokens[self._at].text!r}")

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"it is nested more than {MAX_DEPTH} deep")
        node = read()
        self._depth -= 1
        return node

    def _or(self) -> Node:
        return self._joined("or", self._and)

    def _and(self) -> Node:
        return self._joined("and", self._not)

    def _joined(self, operator: str, read: Callable[[], Node]) -> Node:
        start = self._tokens[self._at]
        operands = [read()]
        while self._take(operator.upper()):
            operands.append(read())
        return operands[0] if len(operands) == 1 else self._operation(operator, operands, _TRUTH, _TRUTH, start)

    def _not(self) -> Node:
        start = self._tokens[self._at]
        if self._take("NOT"):
            return self._operation("not", [self._deeper(self._not)], _TRUTH, _TRUTH, start)
        return self._comparison()

    def _comparison(self) -> Node:
        left, start = self._sum(), self._tokens[self._at]
        if start.word in _COMPARISONS:
            self._at += 1
            return self._compared("<>" if start.word == "!=" else start.word, left, self._sum(), start)
        if self._take("IS"):
            negated = self._take("NOT")
            self.expect("NULL")
            return self._unless(negated, Operation("null", (left,), _TRUTH))
        negated = self._take("NOT")
        if self._take("IN"):
            return self._unless(negated, self._among(left, start))
        if self._take("BETWEEN"):
            lower = self._sum()
            self.expect("AND")
            both = self._compared(">=", left, lower, start), self._compared("<=", left, self._sum(), start)
            return self._unless(negated, Operation("and", both, _TRUTH))
        return self._refuse("IN or BETWEEN belongs behind NOT here") if negated else left

    def _unless(self, negated: bool, node: Node) -> Node:
        return Operation("not", (node,), _TRUTH) if negated else node

    def _compared(self, operator: str, left: Node, right: Node, at: _Token) -> Node:
        if left.kind != right.kind:
            self._refuse(f"{left.kind.value} is compared with {right.kind.value}", at)
        if left.kind != _NUMBER and operator not in ("=", "<>"):
            self._refuse(f"{left.kind.value} is compared by {operator}, which is for numbers", at)
        return Operation(operator, (left, right), _TRUTH)

    def _among(self, left: Node, at: _Token) -> Node:
        self.expect("(")
        members = [self._signed_literal()]
        while self._take(","):
            members.append(self._signed_literal())
        self.expect(")")
        return self._operation("in", [left, *members], left.kind if left.kind != _TRUTH else _NUMBER, _TRUTH, at)

    def _signed_literal(self) -> Literal:
        start, negative = self._tokens[self._at], self._take("-")
        node = self._primary()
        if not isinstance(node, Literal) or node.kind == _TRUTH:
            self._refuse("numbers or text belong into IN (…)", start)
        if not negative:
            return node
        return Literal(-node.value, _NUMBER) if isinstance(node.value, float) else self._refuse("text has no sign", start)

    def _sum(self) -> Node:
        return self._calculated(("+", "-"), lambda: self._calculated(("*", "/"), self._signed))

    def _calculated(self, operators: tuple[str, ...], read: Callable[[], Node]) -> Node:
        node = read()
        while (sign := self._tokens[self._at]).word in operators:
            self._at += 1
            node = self._operation(sign.word, [node, read()], _NUMBER, _NUMBER, sign)
        return node

    def _signed(self) -> Node:
        start = self._tokens[self._at]
        if self._take("-"):
            return self._operation("-", [Literal(0.0, _NUMBER), self._deeper(self._signed)], _NUMBER, _NUMBER, start)
        return self._primary()

    def _primary(self) -> Node:
        token = self._tokens[self._at]
        self._at += 1
        if token.sort == "number":
            if len(token.text) > MAX_DIGITS + ("." in token.text):
                self._refuse(f"the number has more than {MAX_DIGITS} digits", token)
            return Literal(float(token.text), _NUMBER)
        if token.sort == "text":
            return Literal(token.text.replace("''", "'"), _TEXT)
        if token.word in ("TRUE", "FALSE"):
            return Literal(token.word == "TRUE", _TRUTH)
        if token.word == "(":
            node = self._deeper(self._or)
            self.expect(")")
            return node
        if token.word in ("ABS", "COALESCE") and self._tokens[self._at].word == "(":
            return self._call(token)
        if token.sort != "word" or token.word in _WORDS:
            self._refuse(f"a value belongs here, not {token.text!r}", token)
        return self._column(token)

    def _call(self, name: _Token) -> Node:
        self.expect("(")
        operands = [self._deeper(self._or)]
        while self._take(","):
            operands.append(self._deeper(self._or))
        self.expect(")")
        if name.word == "ABS":
            if len(operands) != 1:
                self._refuse("ABS takes one number", name)
            return self._operation("abs", operands, _NUMBER, _NUMBER, name)
        return self._operation("coalesce", operands, operands[0].kind, operands[0].kind, name)

    def _column(self, token: _Token) -> Node:
        if token.text == MARGIN:
            return Column(MARGIN, _NUMBER)
        if not self._take("."):
            self._refuse(f"{token.text!r} is no column: transaction.…, feature.…, attribute.… and margin are", token)
        name = self._tokens[self._at]
        self._at += 1
        if name.sort not in ("word", "quoted"):
            self._refuse("a name belongs behind the dot", name)
        full = f"{token.text}.{name.text}"
        if token.text == "transaction" and name.text in NUMBERS | TEXTS:
            return Column(full, _NUMBER if name.text in NUMBERS else _TEXT)
        if token.text == "attribute" or (token.text == "feature" and (self._features is None or name.text in self._features)):
            return Column(full, _NUMBER)
        return self._refuse(f"there is no {full}", token)

    def _operation(self, operator: str, operands: list[Node], takes: Kind, kind: Kind, at: _Token) -> Node:
        for operand in operands:
            if operand.kind != takes:
                self._refuse(f"{operator.upper()} takes {takes.value}, not {operand.kind.value}", at)
        return Operation(operator, tuple(operands), kind)

    def _take(self, word: str) -> bool:
        taken = self._tokens[self._at].word == word
        self._at += taken
        return taken

    def _refuse(self, reason: str, at: _Token | None = None) -> NoReturn:
        raise RuleError(f"{reason} (at character {(at or self._tokens[self._at]).place})")
