"""Waiting on an event loop, in seconds of the wall.

``asyncio.wait_for`` may lose a cancellation that comes together with the event (Python 3.11); ``asyncio.timeout``
does not, so everything here and in the feeds waits with that.
"""

from __future__ import annotations

import asyncio


async def wait_at_most(event: asyncio.Event, wall_seconds: float | None) -> bool:
    """Until ``event`` is set, or so long (None: for ever); whether it is set."""
    try:
        async with asyncio.timeout(wall_seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def pause(wall_seconds: float) -> None:
    """Nothing but a cancellation ends this sooner."""
    await wait_at_most(asyncio.Event(), wall_seconds)
