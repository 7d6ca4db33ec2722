"""From frames in slots to verdicts that are judged, kept and told."""
