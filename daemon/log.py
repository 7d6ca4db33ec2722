"""Logging: JSON lines for a service, colours for a person; all of it on standard error."""

import logging
import math
import os
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]

#: Priorities of syslog, by which ``journalctl -p warning`` selects.
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class _Handler(logging.StreamHandler[TextIO]):
    """A type of our own, so that configuring again replaces ours and no one else's."""


def configure(
    format: Format = "auto",
    level: Level = "info",
    *,
    stream: TextIO | None = None,
    **bound: str,
) -> None:
    """Set up logging of this process; each line carries ``bound``, such as a camera's name."""
    stream = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]

    def bind(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**bound, **event}

    chain: list[Processor] = [
        bind,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        CallsiteParameterAdder([CallsiteParameter.THREAD_NAME]),
    ]
    structlog.configure(
        processors=[*chain, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _Handler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[ProcessorFormatter.remove_processors_meta, *_renderers(format, stream)],
            foreign_pre_chain=[*chain, structlog.stdlib.ExtraAdder()],
        )
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    logging.captureWarnings(True)


def get(name: str) -> FilteringBoundLogger:
    """Give a logger; one that is made before ``configure`` follows it too."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def _renderers(format: Format, stream: TextIO) -> list[Processor]:
    if format == "console" or (format == "auto" and _is_terminal(stream)):
        return [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    # Locals stay out: they are frames and settings, and a line has an end.
    exceptions = structlog.processors.ExceptionRenderer(
        ExceptionDictTransformer(show_locals=False, max_frames=20)
    )
    render = structlog.processors.JSONRenderer()
    return [exceptions, _readable, _prioritized(render) if _is_journal(stream) else render]


def _readable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put what a reader looks for first, and write what JSON has no number for as a word."""
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in {**first, **event}.items()
    }


def _prioritized(render: Processor) -> Processor:
    def prioritize(logger: WrappedLogger, name: str, event: EventDict) -> str:
        priority = _PRIORITY.get(str(event.get("level")), 6)
        return f"<{priority}>{render(logger, name, event)!s}"

    return prioritize


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and "JOURNAL_STREAM" not in os.environ


def _is_journal(stream: TextIO) -> bool:
    """Tell whether this very stream goes to the journal: the variable is inherited, too."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or not a file
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
