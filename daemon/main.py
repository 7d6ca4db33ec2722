"""``effad``: the inspection daemon."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from daemon import log
from daemon.check import check
from daemon.journal import JournalError
from daemon.service import Service
from daemon.settings import load
from models.errors import reports_input_errors


@contextmanager
def stops(service: Service) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the service in order; a second one does not wait."""

    def handle(number: int, _frame: FrameType | None) -> None:
        service.stop()
        signal.signal(number, signal.SIG_DFL)

    before = {n: signal.signal(n, handle) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log what the process dies of where the rest of its log is; its exit status stays 1."""
    log.get("effad").critical("effad failed", exc_info=(kind, error, trace))


@reports_input_errors("effad")
def main(argv: list[str] | None = None) -> int:
    invocation = load(argv)
    settings = invocation.settings
    log.configure(settings.log.format, settings.log.level)
    sys.excepthook = _last_words
    if invocation.check:
        for line in check(settings):
            print(line, flush=True)
        return 0
    service = Service(settings)
    try:
        with stops(service):
            ended = service.run()
    except JournalError as error:  # nothing is told that is not kept
        log.get("effad").critical("effad stops: the journal cannot be written", why=str(error))
        return 1
    if ended.hung or ended.left:
        os._exit(1 if ended.hung else 0)  # threads would be torn down under their feet
    return 0


if __name__ == "__main__":
    sys.exit(main())
