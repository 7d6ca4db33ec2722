"""What ``effad-recipe`` writes, and in whose name it acts."""

import getpass
import os
import sys


def say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def who() -> str:
    """Name the user for a recipe's history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return f"uid {os.getuid()}"
