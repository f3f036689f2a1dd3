"""The sample calls: in the wheel they lie inside the package, in a checkout in `fixtures/`."""

from __future__ import annotations

from pathlib import Path

from .errors import ConfigurationError

_HOMES = (Path(__file__).parent / "samples", Path(__file__).parent.parent / "fixtures")


def sample(name: str) -> Path:
    """The path of a sample file, such as `billets.yaml`.

    Raises:
        ConfigurationError: the installation has no such file.
    """
    for home in _HOMES:
        if (home / name).is_file():
            return home / name
    raise ConfigurationError(f"this installation has no sample {name!r}")
