from hypothesis import settings

pytest_plugins = ["pytester"]

# A machine that is busy is not a defect, and what half of the examples do not find is for a long run:
# `pytest --hypothesis-profile=default`.
settings.register_profile("quick", settings.default, max_examples=50, deadline=None)
settings.load_profile("quick")
