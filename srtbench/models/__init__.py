"""Policies: the built-in tiny models, and loading from a hub, a folder or a GGUF file.

Import the modules directly; this package imports neither torch nor transformers by itself.
"""
