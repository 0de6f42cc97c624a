"""Work on many processes: each makes its worker once, and results come as they are ready."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

import cv2
import torch

from worldsim.device import cores

C = TypeVar("C")
T = TypeVar("T")
R = TypeVar("R")

_work: Callable[[Any], Any] | None = None  # of a worker process


class Crew(Generic[T, R]):
    """Processes that each made a worker by ``make(config)``, a function of a module, and stay until ``close``.

    ``workers`` 0 is one a core; 1 works in this process. Close it, or use it in a ``with``.
    """

    def __init__(self, make: Callable[[C], Callable[[T], R]], config: C, workers: int = 0) -> None:
        workers = workers or cores()
        self._alone = (lambda: make(config)) if workers <= 1 else None
        self._work: Callable[[T], R] | None = None
        self._executor: ProcessPoolExecutor | None = None
        if workers > 1:
            self._executor = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (make, config))

    def work(self, items: Sequence[T]) -> Generator[tuple[T, R], None, None]:
        """Each item with what comes of it, in any order. Raises OSError where a process was killed."""
        if self._executor is None:
            for item in items:
                if self._work is None:
                    assert self._alone is not None
                    self._work = self._alone()
                yield item, self._work(item)
            return
        try:
            with _unheard():
                futures = {self._executor.submit(_run, item): item for item in items}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise OSError(
                "a process that worked was killed, perhaps for want of memory; what was finished is kept: run the same "
                "command again, with fewer workers"
            ) from error

    def close(self) -> None:
        """Let running items end, also at Ctrl-C, which the workers do not hear, and send the processes home."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Crew[T, R]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def spread(
    make: Callable[[C], Callable[[T], R]], config: C, items: Sequence[T], workers: int = 0
) -> Generator[tuple[T, R], None, None]:
    """``Crew.work`` of a crew for these items alone, no larger than there are items."""
    workers = min(workers or cores(), max(len(items), 1))
    with Crew(make, config, workers) as crew:
        yield from crew.work(items)


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
