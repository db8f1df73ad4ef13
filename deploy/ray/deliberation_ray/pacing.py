"""Fairness inside one event loop."""

import asyncio


class Pacing:
    """Lets one turn begin at a time, with a round of the event loop in between.

    Preparing a call costs CPU. Otherwise, hundreds of turns that were accepted together would run back to back, and a
    stop would wait for all of them.
    """

    def __init__(self) -> None:
        self._gate = asyncio.Lock()

    async def take(self) -> None:
        async with self._gate:
            await asyncio.sleep(0)
