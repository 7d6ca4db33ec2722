"""``effad-recipe``: recipes of a library, their versions, and what is active."""
