"""When the modules of the control API are imported."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from urllib.request import urlopen
from uhlive_mock import MockServer

def loaded():
    names = ("uhlive_mock.control.app", "uhlive_mock.control.spaces", "uhlive_mock.scenarios.schema", "ruamel.yaml")
    return [name for name in names if name in sys.modules]

with MockServer(tls_port=None) as server:
    with server.space():
        print(loaded())
        urlopen(f"{server.urls['http_url']}/_mock/health").close()
        print(loaded())
"""


def test_its_modules_come_with_the_first_request_and_the_schema_of_scenarios_with_the_document():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "['uhlive_mock.control.app', 'uhlive_mock.control.spaces']"], (
        done.stderr
    )
