"""Images that training and evaluation read: how folders are laid out, and what is in them."""
