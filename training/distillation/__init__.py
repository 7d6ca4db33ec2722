"""From a pretrained backbone to a teacher (thesis 4.3, algorithm 1)."""
