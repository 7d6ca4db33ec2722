"""The one error that a user sees: something outside effad is wrong."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any


class InputError(Exception):
    """Files, settings or devices are not as they must be.

    Its message is one line: what is wrong, where, what is allowed, and what to do.
    """


def reports_input_errors(command: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a command's main print an ``InputError`` as one line and exit with status 2.

    The same for a file that the system will not open or write.
    """

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @wraps(main)
        def guarded(*args: Any, **kwargs: Any) -> int:
            try:
                return main(*args, **kwargs)
            except InputError as error:
                sys.stderr.write(f"{command}: error: {error}\n")
                return 2
            except OSError as error:
                if error.filename is None:
                    raise
                sys.stderr.write(f"{command}: error: {error.filename}: {error.strerror}\n")
                return 2
            except KeyboardInterrupt:
                sys.stderr.write(f"\n{command}: interrupted\n")
                return 130

        return guarded

    return decorate
