"""Measurements that a contributor can repeat."""
