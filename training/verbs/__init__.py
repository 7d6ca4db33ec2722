"""The verbs of ``effad-train``, a module each: its options, and what it does with them."""
