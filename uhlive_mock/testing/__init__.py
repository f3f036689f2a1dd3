"""What the pytest plugin is made of: settings, the official SDK pointed at a space, reports and what is kept.

pytest imports `settings` and `run` in every run of every project that has this package installed, so these modules
are light ones.
"""
