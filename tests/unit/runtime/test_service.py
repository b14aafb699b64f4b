"""What is logged of grouped errors."""

from tallystick.runtime.service import causes


def test_the_causes_of_nested_groups_are_found_in_order() -> None:
    """A task group's failure is told as the errors that made it."""
    first, second, third = ValueError("1"), OSError("2"), KeyError("3")
    group = ExceptionGroup("outer", [first, ExceptionGroup("inner", [second]), third])
    assert causes(group) == [first, second, third]


def test_a_lone_error_is_its_own_cause() -> None:
    """No group, no unwrapping."""
    error = ValueError()
    assert causes(error) == [error]
