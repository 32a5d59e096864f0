"""Training and sampling: the only package that imports TRL.

Import the modules directly; this package imports nothing by itself.
"""
