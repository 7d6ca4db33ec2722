"""How good a bundle is: ``effad-evaluate``, its metrics, and its reports."""
