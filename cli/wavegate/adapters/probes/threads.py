"""Runs blocking calls beside an event loop, in daemon threads: one that hangs delays neither others nor exit.

Not asyncio.to_thread, whose few threads are shared by all callers and joined when the program ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def run_beside(call: Callable[[], Result], name: str) -> Result:
    """Return what the call returns or raise what it raises; when cancelled, its result is dropped."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome = (call(), None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            outcome = (None, error)  # type: ignore[assignment]
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile; nobody waits
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name=name, daemon=True).start()
    return await future
