"""The sockets in memory, and the strategies for scenarios, that the tests of the protocol have."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_path = Path(__file__).parent.parent / "protocol" / "conftest.py"
_spec = spec_from_file_location("uhlive_mock_protocol_conftest", _path)
assert _spec
assert _spec.loader
_protocol = module_from_spec(_spec)
_spec.loader.exec_module(_protocol)

room = _protocol.room
