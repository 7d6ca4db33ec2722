"""Distillation of teachers and training of students and autoencoders; knows nothing of cameras."""
