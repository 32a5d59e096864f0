"""What can be derived again from a log: the audit, and votes under another rule."""
