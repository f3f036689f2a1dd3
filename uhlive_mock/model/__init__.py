"""Frozen, validated values that every other layer speaks in. Nothing here does I/O or knows the time."""
