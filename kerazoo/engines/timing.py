"""Timing several callables side by side, so that a drifting machine hits all of them alike."""

import time

import numpy as np


def interleaved(calls, *, seconds=1.0, rounds=5):
    """Times each of `calls` in turns: `rounds` short bursts each, one after the other.

    Args:
        calls: {name: callable without arguments}, already warmed up.
        seconds: of timed calls for each, in all; every burst times at least one call.
        rounds: bursts of each.

    Returns:
        {name: [seconds of each call]}.
    """
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # Untimed: it finds the caches and thread pools as the engine before it left them.
            started = time.perf_counter()
            while True:
                before = time.perf_counter()
                call()
                after = time.perf_counter()
                times[name].append(after - before)
                if after - started > seconds / rounds:
                    break
    return times


def summary(times) -> dict:
    """Seconds of calls -> {"median_ms", "mean_ms", "p90_ms", "calls"}.

    Throughput goes by the mean: `predict` takes now one, now two times as long, and the median tells only one.
    """
    return {
        "median_ms": round(float(np.median(times)) * 1e3, 4),
        "mean_ms": round(float(np.mean(times)) * 1e3, 4),
        "p90_ms": round(float(np.percentile(times, 90)) * 1e3, 4),
        "calls": len(times),
    }
