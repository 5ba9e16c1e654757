"""Verdicts: who is served, who is not, where and why."""
