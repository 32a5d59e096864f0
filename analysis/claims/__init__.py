"""The study's eight claims about self-rewarded training, measured on sweeps and judged.

    python -m analysis.claims runs/paper_cpu runs/paper_cpu_full --out analysis/RESULTS.md

`hypotheses.py` fixes what is claimed and when it holds, `published.py` says what the papers report;
the other modules measure and print it.
"""
