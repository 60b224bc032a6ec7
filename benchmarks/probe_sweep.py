"""How long does one sweep of 1,000 http probes take? The target is 3 seconds on two cores.

    python benchmarks/probe_sweep.py [--targets N] [--limit SECONDS] [--json]

A local aiohttp server runs in a process of its own on the same machine. Every target is a new connection, as
in a rollout, and its JSON answer is read and compared. Prints the seconds of a cold sweep (it imports aiohttp
and starts the prober's thread) and of a warm one. Exit code 1 when the cold one is over the limit, or when
any measurement is not good.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))

from wavegate.adapters.probes.prober import LocalProber
from wavegate.core.events import SweepEnded, SweepStarted
from wavegate.core.outcomes import Reading
from wavegate.core.spec import ProbeSpec, Scope


class _NoHosts:
    def __call__(self, *_: object) -> dict[str, str]:
        return {}

    def close(self) -> None:
        pass


def serve(pipe: Connection) -> None:
    """Answer /healthz on a free port, which is sent through the pipe, until the process is ended."""
    import asyncio

    from aiohttp import web

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"version": "1.1", "state": "ok"})

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/healthz", healthz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


def sweep_once(prober: LocalProber, targets: tuple[str, ...], number: int) -> tuple[float, SweepEnded]:
    """Return the seconds from asking for the sweep until its end was reported."""
    ended: queue.Queue[SweepEnded] = queue.Queue()
    probe = ProbeSpec(name="healthz", kind="http", scope=Scope.HOST, settings={}, timeout=5.0)
    start = time.perf_counter()
    prober.measure(SweepStarted("pilot", "after", "healthz", number, targets), probe, ended.put)
    event = ended.get(timeout=120)
    return time.perf_counter() - start, event


def main() -> int:
    """Run the benchmark and print its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    settings = {
        "url": f"http://127.0.0.1:{mine.recv()}/healthz",
        "status": [200],
        "json": {"version": "1.1", "state": "ok"},
    }
    targets = tuple(f"web{number}" for number in range(options.targets))
    prober = LocalProber({"healthz": dict.fromkeys(targets, settings)}, str, _NoHosts(), Path.cwd())
    try:
        (cold, first), (warm, second) = (sweep_once(prober, targets, number) for number in (1, 2))
    finally:
        prober.close()
        server.terminate()
    measurements = first.measurements + second.measurements
    good = sum(m.reading is Reading.GOOD for m in measurements)
    latencies = sorted(m.value for m in measurements if m.value is not None)
    numbers = {
        "targets": len(targets),
        "cold_seconds": round(cold, 3),
        "warm_seconds": round(warm, 3),
        "good": good,
        "of": len(measurements),
        "median_latency_seconds": round(latencies[len(latencies) // 2], 3) if latencies else None,
        "cores": os.cpu_count(),
    }
    if options.json:
        print(json.dumps(numbers))
    else:
        print("\n".join(f"{name:24} {value}" for name, value in numbers.items()))
    return 0 if cold <= options.limit and good == len(measurements) else 1


if __name__ == "__main__":
    sys.exit(main())
