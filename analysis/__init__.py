"""This study's own figures, one module each, drawn from a sweep folder with the public API.

    python -m analysis.collapse runs/smoke --out figures

Each writes its figure as PNG and SVG, and what the figure shows as CSV.
"""
