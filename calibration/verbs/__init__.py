"""The verbs of ``effad-calibrate``, one a module."""
