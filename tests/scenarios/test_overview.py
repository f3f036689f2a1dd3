"""A scenario fits on one screen."""

from __future__ import annotations

from uhlive_mock.scenarios import builtin_scenario, outline, scenario


def test_an_outline_has_a_table_for_each_speaker() -> None:
    shown = outline(
        scenario("billets", match="support-*", seed=7, jitter_ms=50)
        .speaker("Alice")
        .loop(24)
        .say("je voudrais deux billets pour [Lyon](location_city)", at=0.4, until=2.1)
        .segment("très bien", after=1)
        .event("custom", {"a": 1}, when="left")
        .relation("location", "location_street", "location_city", after=0)
        .entity("location_city", "lyon", after=0)
        .tags({"t1": "Quote"}, after=0)
        .interim("merci", after=0)
        .normalized("Merci.", after=0)
        .speaker("*")
        .speaker("Bob")
        .ghost(say_from="first_audio")
        .fault("close", 1011, at=2)
        .fault("drop_events", count=3, event="entity_*", at=2)
        .throttle(rate=10_000, action="close")
        .gap(action="off")
        .build()
    )
    assert (
        shown
        == """\
billets: conversations support-*, seed 7
latency 250ms + up to 50ms, interims every 300ms, words of 320ms
limits: throttle rate 10 kB/s, action close; gap off

Alice, again every 24s
  start  end   action      text                                entities
  400ms  2.1s  say         je voudrais deux billets pour Lyon  location_city
  +1s          segment     très bien
  left         event       custom {"a": 1}
  +0s          relation    location                            location_street, location_city
  +0s          entity      lyon                                location_city
  +0s          tags        Quote
  +0s          interim     merci
  +0s          normalized  Merci.

* (everyone else)
  says nothing

Bob, a ghost from the first audio on
  start  end  action  text                                    entities
  2s          fault   close 1011
  2s          fault   drop_events, count 3, event "entity_*\""""
    )


def test_long_texts_are_cut() -> None:
    shown = outline(scenario().segment("oui " * 100, at=1).build())
    assert max(len(line) for line in shown.splitlines()) < 100
    assert "…" in shown


def test_the_builtin_scenario_fits_on_a_screen() -> None:
    lines = outline(builtin_scenario()).splitlines()
    assert len(lines) < 24
    assert max(len(line) for line in lines) <= 120
