"""Who may connect to effad's sockets, and what they may ask: CURVE keys, ZAP, and a folder."""
