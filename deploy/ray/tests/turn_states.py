"""What a runner says of its turns."""

import asyncio

from deliberation_ray.turns import Turns


async def state(turns: Turns, submission_id: str, seconds: float = 30) -> dict:
    (view,) = await turns.wait([submission_id], seconds)
    return view


async def until_dropped(turns: Turns, left: int) -> None:
    async def dropped() -> None:
        while turns.held > left:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(dropped(), 30)
