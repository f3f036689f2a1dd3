"""The pace of a real stream, judged by the mock, beside one that sleeps from chunk to chunk.

Both run at the same time on the same machine, so whatever disturbs one disturbs the other: only their proportion is
judged. A sleep is always a little too long, so a sleeper falls behind by the sum of all of them; with absolute
deadlines no more than the last one counts.
"""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from uhlive_client import aio

from uhlive_mock import MockServer
from uhlive_mock.scenarios import parse_scenario

pytestmark = pytest.mark.asyncio

CHUNK_S = 0.01
CHUNKS = [bytes(160)] * 250
NOTHING = parse_scenario('version: 1\nspeakers:\n  "*": []\n')


@pytest_asyncio.fixture
async def space():
    with MockServer() as server, server.space(scenario=NOTHING) as space:
        yield space


def join(space, speaker):
    return aio.connect(
        conversation="conv1",
        speaker=speaker,
        client_id=space.client_id,
        token=space.issue_token(),
        url=space.ws_url,
    )


async def keep_time(space):
    async with join(space, "Alice") as call:
        report = await call.stream(CHUNKS)
        await call.leave()
    return report


async def sleep_from_chunk_to_chunk(space):
    async with join(space, "Bob") as call:
        for chunk in CHUNKS:
            await call.send(chunk)
            await asyncio.sleep(CHUNK_S)
        await call.leave()


async def test_deadlines_do_not_add_up_what_sleeps_do(space):
    report, _ = await asyncio.gather(keep_time(space), sleep_from_chunk_to_chunk(space))
    alice, bob = (space.conversation("conv1").speaker(name).pacing for name in ("Alice", "Bob"))
    assert alice.verdict == "keeps real time"
    late, later = -alice.lead_final_s, -bob.lead_final_s
    assert later > 0.03  # the sleeper has lost a little on each chunk
    assert late < later / 3
    assert abs(alice.drift_ppm) < bob.drift_ppm / 3
    assert abs(report.drift_ppm) < bob.drift_ppm / 3
