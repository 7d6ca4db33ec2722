"""What effad counts, and how a monitoring system reads it."""
