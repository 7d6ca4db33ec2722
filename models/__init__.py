"""Networks, geometry and records of effad: pure of cameras, sockets and training."""
