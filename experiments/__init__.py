"""The paper's tables and figures from real runs: a script for each; see README.md."""
