"""What can be wrong with a plan, or with what is there already."""


class ProvisionError(Exception):
    """What exists contradicts the plan, or a server did not take it; one sentence for people, saying what to do."""
