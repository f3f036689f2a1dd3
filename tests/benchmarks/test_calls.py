"""What a frame, a push and an injected close cost in calls, so that nothing creeps back onto their way."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.calls import Tally, measure


@pytest.fixture(scope="module")
def tallies() -> dict[str, Tally]:
    return asyncio.run(measure())


def test_an_audio_frame_makes_few_calls_in_few_files(tallies):
    frame = tallies["frame"]
    assert frame.own <= 70, frame.calls
    assert len(frame.files) <= 12, frame.files


def test_a_pushed_segment_enters_few_files(tallies):
    assert len(tallies["push"].files) <= 15, tallies["push"].files


def test_an_injected_close_enters_few_files(tallies):
    assert len(tallies["close"].files) <= 12, tallies["close"].files


def test_what_is_counted_is_what_the_package_does(tallies):
    assert ("protocol/channel.py", "Channel.push") in tallies["frame"].calls
    assert ("protocol/faults.py", "strike_socket") in tallies["close"].calls
    assert ("protocol/conversation.py", "Conversation.push") in tallies["push"].calls
