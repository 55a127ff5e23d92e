"""The report of runs: a page that is made of their directories alone."""
