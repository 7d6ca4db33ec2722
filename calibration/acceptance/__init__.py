"""Acceptance: is this recipe fit for the line again, or what is wrong (DESIGN.md section 1)."""
