"""Synthetic anomalies (thesis 4.1.3): defects drawn into good tiles, with their exact place."""
