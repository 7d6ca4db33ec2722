"""Where good frames come from: a folder, the running daemon, a camera."""
