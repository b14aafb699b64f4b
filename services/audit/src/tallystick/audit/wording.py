"""Outcomes and reasons in plain words, for the person whom a decision is about. Pure."""

from tallystick.contracts import Outcome, ReasonCode

OUTCOMES: dict[int, str] = {
    Outcome.OUTCOME_APPROVE: "The payment was let through.",
    Outcome.OUTCOME_REVIEW: "The payment was held, for a person to look at it.",
    Outcome.OUTCOME_DECLINE: "The payment was refused as suspected fraud.",
    Outcome.OUTCOME_REJECTED: "The payment could not be judged, because of how it was sent.",
}
REASONS: dict[int, str] = {
    ReasonCode.REASON_CODE_MARGIN_DECLINE: "The automatic assessment found it very likely to be fraud.",
    ReasonCode.REASON_CODE_MARGIN_REVIEW: "The automatic assessment found that a person should look at it.",
    ReasonCode.REASON_CODE_RULE_DECLINE: "A rule of the bank says that such payments are refused.",
    ReasonCode.REASON_CODE_RULE_REVIEW: "A rule of the bank says that a person looks at such payments.",
    ReasonCode.REASON_CODE_RULE_APPROVE: "A rule of the bank says that such payments are let through.",
    ReasonCode.REASON_CODE_LIST_BLOCK: "The customer, the terminal or the merchant is on a list to refuse.",
    ReasonCode.REASON_CODE_LIST_WATCH: "The customer, the terminal or the merchant is on a list to look at.",
    ReasonCode.REASON_CODE_LIST_ALLOW: "The customer, the terminal or the merchant is on a list to trust.",
    ReasonCode.REASON_CODE_PROFILE_STALE: "What is known of the terminal or merchant was not complete yet at that moment.",
    ReasonCode.REASON_CODE_VALUE_NULL: "The record of the payment was empty.",
    ReasonCode.REASON_CODE_RECORD_TOO_LARGE: "The record of the payment was too large.",
    ReasonCode.REASON_CODE_CONTENT_TYPE_UNKNOWN: "The record of the payment was of an unknown kind.",
    ReasonCode.REASON_CODE_PROTOBUF_MALFORMED: "The record of the payment could not be read.",
    ReasonCode.REASON_CODE_JSON_MALFORMED: "The record of the payment could not be read.",
    ReasonCode.REASON_CODE_FIELD_MISSING: "A part of the record of the payment was missing.",
    ReasonCode.REASON_CODE_FIELD_TOO_LARGE: "A part of the record of the payment was too long.",
    ReasonCode.REASON_CODE_FIELD_CHARACTERS: "An identifier in the record of the payment held characters that it must not.",
    ReasonCode.REASON_CODE_AMOUNT_NEGATIVE: "The amount was negative.",
    ReasonCode.REASON_CODE_AMOUNT_NOT_FINITE: "The amount was not a number.",
    ReasonCode.REASON_CODE_AMOUNT_TOO_LARGE: "The amount was larger than any that is judged.",
    ReasonCode.REASON_CODE_CURRENCY_UNKNOWN: "The currency is not known.",
    ReasonCode.REASON_CODE_EVENT_TIME_SKEWED: "The time stated was too far from when the payment arrived.",
    ReasonCode.REASON_CODE_TRANSACTION_REPEATED: "The same transaction had been decided before.",
    ReasonCode.REASON_CODE_KEY_MISMATCH: "The record of the payment was filed under another customer.",
    ReasonCode.REASON_CODE_PARTITION_MISMATCH: "The record of the payment was filed in the wrong place.",
    ReasonCode.REASON_CODE_ATTRIBUTE_NOT_FINITE: "A figure in the record of the payment was not a number.",
    ReasonCode.REASON_CODE_ATTRIBUTE_MISSING: "A figure that the assessment needs was missing.",
    ReasonCode.REASON_CODE_NO_ACTIVE_MODEL: "No way of assessing payments was in force at that time.",
}


def tell_outcome(outcome: int) -> str:
    """Return an outcome as a sentence."""
    return OUTCOMES.get(outcome, "The outcome is of a kind that is not known here.")


def tell_reason(reason: int) -> str:
    """Return a reason as a sentence."""
    return REASONS.get(reason, "The reason is of a kind that is not known here.")
