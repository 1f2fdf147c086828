"""Builders from a scenario to the arrays of a world."""
