"""Methods of training: what they share, and one module each."""
