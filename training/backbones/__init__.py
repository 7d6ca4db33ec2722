"""Pretrained networks whose features a teacher is distilled from (thesis 4.3, chapter 6)."""
