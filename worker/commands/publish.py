"""`khabar publish`: files of articles -> the input topic."""

import sys
from collections.abc import Sequence

from worker import kafka
from worker.commands.articles import read
from worker.commands.console import counted, progress, say
from worker.settings import Settings

IN_FLIGHT = 500
"""Records sent before the broker's answers are looked at: bounds memory whatever the files hold."""


def run(settings: Settings, *, paths: Sequence[str]) -> int:
    """Send every article and wait until the broker has it.

    Nothing is judged: bytes that are no article are sent as well, and come out as dead letters.

    Returns:
        Exit code: 0, or 1 when the broker refused an article (each is a line on standard error).

    Raises:
        UserError: a path cannot be used.
        BrokerError: the broker cannot be reached or refuses altogether.
    """
    items = read(paths)
    sent = refused = 0
    with kafka.producer(settings) as producer, progress() as display:
        kafka.require(producer, settings.input_topic)
        task = display.add_task(f"publishing to {settings.input_topic}", total=None)
        waiting: list[tuple[str, kafka.Sent]] = []
        for item in items:
            waiting.append((item.place, kafka.send(producer, settings.input_topic, item.value, key=item.key, headers=item.headers)))
            if len(waiting) >= IN_FLIGHT:
                refused += _settle(waiting)
                waiting = []
            sent += 1
            display.update(task, completed=sent)
        refused += _settle(waiting)
    sys.stdout.write(f"{counted(sent - refused, 'article')} published to {settings.input_topic}\n")
    return 1 if refused else 0


def _settle(waiting: Sequence[tuple[str, "kafka.Sent"]]) -> int:
    """Wait for the broker's answers; how many it refused for their size."""
    refused = 0
    for place, future in waiting:
        problem = future.refused()
        if problem:
            say(f"{place}: {problem}")
            refused += 1
    return refused
