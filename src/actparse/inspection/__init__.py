"""What measures a parse, a bundle or this machine."""
