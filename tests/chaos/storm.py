"""The carrying out: load, faults and scaling side by side for a bounded time, and samples of how far things are."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa

from tallystick.cli.stream import Shift, StreamSettings, stream_table
from tallystick.embedded import ServiceProcess
from tallystick.embedded.kafka import Broker

from ..e2e.reading import published
from .faults import HABITS, Fault, faults
from .timeline import Sample
from .world import Victim, World

STEPS = (1, 2, 4, 3, 1)
"""How many scoring processes there are, each for as long as any other."""
# A batch of a partition waits for the one before: many small ones would not keep up with slow brokers.
PACE_S = 0.5
SAMPLE_S = 0.1
SAY_S = 5.0
BROKER_START_S = 120.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Storm:
    """What happened.

    Attributes:
        faults_at_s: when faults began, on the monotonic clock.
        samples: how far things were, in order of time.
        kills: how many processes were killed.
        acknowledged: how many of the stream's rows the brokers have.
    """

    faults_at_s: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    kills: int = 0
    acknowledged: int = 0


def rage(made: World, table: pa.Table, rate: float, seconds: float, seed: int, say: Say) -> Storm:
    """Stream the table while faults come for so many seconds; then let everything come up again, the stream to its end.

    Raises:
        StreamError: if the brokers did not take the stream, so that nothing can be said.
        StartError: if a process did not come up again.
    """
    storm, over = Storm(), threading.Event()
    sampling = threading.Thread(target=_sample, args=(made, storm, done := threading.Event(), say))
    sampling.start()
    try:
        with ThreadPoolExecutor(len(HABITS) + 2) as lanes:
            load = lanes.submit(_stream, made, table, rate, storm)
            raging = [lanes.submit(_lane, made, name, seed, storm, over, say) for name in HABITS]
            raging.append(lanes.submit(_scale, made, seconds / len(STEPS), over, say))
            over.wait(seconds)
            over.set()
            for lane in raging:
                lane.result()
            say("the storm is over")
            load.result()
    finally:
        over.set()
        done.set()
        sampling.join()
    return storm


def keep_sampling(made: World, storm: Storm, until: Callable[[], bool], timeout_s: float) -> None:
    """Go on taking samples until something is true, or the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        _take(made, storm)
        if until():
            return
        time.sleep(SAMPLE_S)


def _stream(made: World, table: pa.Table, rate: float, storm: Storm) -> None:
    def progress(acknowledged: int, _: int) -> None:
        storm.acknowledged = acknowledged

    settings = StreamSettings(kafka=made.platform.kafka, shift=Shift.NONE, rate=rate, pace_s=PACE_S)
    asyncio.run(stream_table(table, settings, progress))


def _sample(made: World, storm: Storm, done: threading.Event, say: Say) -> None:
    said_s = time.monotonic()
    while not done.is_set():
        _take(made, storm)
        newest = storm.samples[-1]
        if newest.at_s - said_s >= SAY_S:
            said_s = newest.at_s
            say(f"{newest.acknowledged:,} transactions in Kafka, {newest.published:,} decisions in the log")
        done.wait(SAMPLE_S)


def _take(made: World, storm: Storm) -> None:
    # The rows first: what is acknowledged between the two looks is not expected in the log.
    acknowledged = storm.acknowledged
    storm.samples.append(Sample(time.monotonic(), acknowledged, published(made.platform).size))


def _lane(made: World, name: str, seed: int, storm: Storm, over: threading.Event, say: Say) -> None:
    for fault in faults(seed, name):
        if over.wait(fault.after_s):
            return
        victims = made.victims(name)
        if victims:
            _strike(victims[int(fault.pick * len(victims))], fault, storm, over, say)


def _strike(victim: Victim, fault: Fault, storm: Storm, over: threading.Event, say: Say) -> None:
    """Do it, and undo it, sooner if the storm is over."""
    name = f"broker {victim.number}" if isinstance(victim, Broker) else victim.name
    say(f"{fault.kind} {name} for {fault.seconds:.1f} s")
    storm.faults_at_s.append(time.monotonic())
    if fault.kind == "pause":
        victim.pause()
        over.wait(fault.seconds)
        victim.resume()
        return
    victim.kill()
    storm.kills += 1
    over.wait(fault.seconds)
    if isinstance(victim, ServiceProcess):
        victim.start()
    else:
        victim.spawn()
        victim.wait_ready(BROKER_START_S)


def _scale(made: World, step_s: float, over: threading.Event, say: Say) -> None:
    for count in STEPS:
        if count != len(made.scoring):
            say(f"{count} scoring processes")
            made.scale(count)
        if over.wait(step_s):
            break
    made.scale(STEPS[-1])
