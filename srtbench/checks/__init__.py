"""What can be found out before training: the data of a plan, and its variants, are tried.

A plan says what would run. Here the tables that it names are read, answers are keyed, targets are
read back, and classes from outside judge a group that is made up. Loads no model, and asks no
network.
"""

from srtbench.checks.check import Checked, all_of, check_plan, check_sweep, check_what_fits

__all__ = ["Checked", "all_of", "check_plan", "check_sweep", "check_what_fits"]
