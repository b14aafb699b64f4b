"""Telling what may be waited out from what may not, and saying it in health."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from tallystick.notary.errors import NotaryError, UnavailableError
from tallystick.runtime.backoff import is_transient
from tallystick.runtime.cancellation import no_stray_cancellation
from tallystick.runtime.health import Health

_TRANSIENT_SQL = (
    asyncpg.InsufficientResourcesError,  # its disk is full, or its connections are used up
    asyncpg.OperatorInterventionError,  # somebody restarts it
    asyncpg.ReadOnlySQLTransactionError,  # a standby that has not been promoted yet
    asyncpg.TransactionRollbackError,  # a deadlock or a serialisation failure
)


@contextmanager
def answering(component: str, health: Health) -> Iterator[None]:
    """Say in health whether `component` did what the block asks of it. Raises as `waiting_for` does."""
    with waiting_for(component, health):
        yield
    health.ok(component)


@contextmanager
def waiting_for(component: str, health: Health) -> Iterator[None]:
    """Say in health if `component` fails in the block; that the block ends well proves nothing.

    Raises:
        UnavailableError: it failed, and waiting may help. Any other error of the block goes through as it is.

    """
    try:
        with no_stray_cancellation(component):
            yield
    except (NotaryError, UnavailableError):
        raise
    except Exception as error:
        if not (is_transient(error) or isinstance(error, _TRANSIENT_SQL)):
            raise
        reason = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
        health.failing(component, reason)
        raise UnavailableError(component, reason) from error
