"""What the pytest plugin is made of: settings, the official SDK pointed at a space, reports and what is kept.

pytest imports `settings` in every run of whoever has this package installed, so that module is a light one.
"""
