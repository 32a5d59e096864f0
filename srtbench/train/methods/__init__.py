"""How a variant trains."""
