"""A proxy has no business with a server on this machine."""

from __future__ import annotations

from collections.abc import Mapping


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Keeps a proxy that an environment names from being asked for the loopback."""
    known = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    hosts = dict.fromkeys([*filter(None, known.split(",")), "127.0.0.1", "localhost", "::1"])
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))
