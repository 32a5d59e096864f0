"""The error of a damaged file; light, since whatever reads anything needs it."""


class StoreError(ValueError):
    """A file that srtbench wrote is damaged; the message is one line and names file and key."""
