"""The socket that effad is asked on, and what it answers."""
