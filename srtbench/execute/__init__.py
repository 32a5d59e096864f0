"""Where runs execute: workers on this machine or a cluster, and the sweep that starts them."""
