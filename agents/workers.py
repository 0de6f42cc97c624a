"""Work on many processes: each makes its worker once, and results come as they are ready."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

import cv2
import torch

C = TypeVar("C")
T = TypeVar("T")
R = TypeVar("R")

_work: Callable[[Any], Any] | None = None  # of a worker process


def spread(
    make: Callable[[C], Callable[[T], R]], config: C, items: Sequence[T], workers: int = 0
) -> Generator[tuple[T, R], None, None]:
    """Each of ``items`` with what ``make(config)`` returns for it, in any order.

    ``make`` is a function of a module; it is called once in every process. ``workers`` 0 is one a core; 1 works in this
    process. Ctrl-C and ``close`` let running items end. Raises OSError where a process was killed.
    """
    workers = min(workers or len(os.sched_getaffinity(0)), len(items))
    if workers <= 1:
        work = make(config) if items else None
        for item in items:
            assert work is not None
            yield item, work(item)
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (make, config))
    try:
        with _unheard():
            futures = {executor.submit(_run, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise OSError(
            "a process that worked was killed, perhaps for want of memory; what was finished is kept: run the same "
            "command again, with fewer workers"
        ) from error
    finally:  # also at Ctrl-C, which the workers do not hear: what they are at is finished and kept
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """As many threads everywhere, so that a product of matrices has the same last bits; processes share the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _unheard() -> Iterator[None]:
    """Processes that start here never hear Ctrl-C, not even while they import."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(make: Callable[[Any], Callable[[Any], Any]], config: Any) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    _work = make(config)


def _run(item: Any) -> Any:
    assert _work is not None
    return _work(item)
