"""Quantiles and thresholds from good frames: what makes a bundle fit a lot, a light, a camera."""
