"""Resuming after a rebalance must outlast a coordinator that hangs."""

import asyncio
from typing import cast

import pytest
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped

from worker.settings import Settings
from worker.stream.parts import make_app
from worker.stream.resume import PatientRecovery, Tables


def test_a_slow_seek_is_waited_for() -> None:
    """A wait longer than the request timeout comes to its end; Faust's own takes the time-out for a stop, and its task ends."""

    async def scenario() -> None:
        recovery = cast("Tables", make_app(Settings()).tables).recovery
        assert isinstance(recovery, PatientRecovery)
        await recovery._wait(asyncio.sleep(0.2), timeout=0.05)  # noqa: SLF001 - what the module overrides
        with pytest.raises(ServiceStopped):
            await Recovery._wait(recovery, asyncio.sleep(0.2), timeout=0.05)  # noqa: SLF001

    asyncio.run(scenario())


def test_another_rebalance_still_interrupts() -> None:
    """Waiting for a coordinator that never answers ends when the group moves on."""

    async def scenario() -> None:
        recovery = cast("Tables", make_app(Settings()).tables).recovery
        waiting = asyncio.create_task(recovery._wait(asyncio.sleep(60), timeout=0.05))  # noqa: SLF001
        await asyncio.sleep(0.1)
        recovery.signal_recovery_start.set()
        with pytest.raises(RebalanceAgain):
            await asyncio.wait_for(waiting, timeout=5)

    asyncio.run(scenario())
