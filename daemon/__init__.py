"""The inspection daemon: cameras in, accounted verdicts out."""
