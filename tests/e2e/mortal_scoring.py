"""A program: scoring that kills itself (SIGKILL) at one request of its transactions.

`TALLYSTICK_TEST_DIES` says where: the request's name, `before` it is sent or `after` its answer, and the how-manieth one.
"""

import os
import signal
from typing import Any

from aiokafka.client import AIOKafkaClient

from tallystick.scoring.main import main


def _mortal() -> None:
    request_name, when, number = os.environ["TALLYSTICK_TEST_DIES"].split(":")
    left = int(number)
    send = AIOKafkaClient.send

    async def dying(self: AIOKafkaClient, node: int, request: Any, **options: Any) -> Any:
        nonlocal left
        is_one = type(request).__name__ == request_name
        left -= is_one
        dies = is_one and left == 0  # others are sent meanwhile
        if dies and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await send(self, node, request, **options)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    AIOKafkaClient.send = dying


if __name__ == "__main__":
    _mortal()
    main()
