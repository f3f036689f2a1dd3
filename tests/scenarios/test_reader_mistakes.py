"""Every typical mistake is answered with its place, what was found, and what was expected."""

from __future__ import annotations

import pytest

from uhlive_mock.errors import ScenarioError
from uhlive_mock.scenarios import parse_scenario

TOP = "version: 1\nspeakers: {}\n"
CUE = 'version: 1\nspeakers:\n  "*":\n    - '
QUOTING = "text with [, {, ' #' or ': ' goes between single quotes, or on its own lines after '>-'"
CLOSE_CODE = "expected a close code, 1000 to 1003, 1007 to 1014 or 3000 to 4999"
DURATION = "expected a duration such as 250ms, 1.5s or 1min 30s"

MISTAKES = {
    "empty": ("", "1: the document is empty; expected version: 1 and speakers"),
    "only a comment": ("# soon\n", "1: the document is empty; expected version: 1 and speakers"),
    "a list": ("- at: 1s\n", "1: found a list; expected a mapping with version: 1 and speakers"),
    "no version": (
        "speakers: {}\n",
        "1: missing key 'version'; expected a mapping with version: 1 and speakers",
    ),
    "another version": ("version: 2\nspeakrs: {}\n", "1: version: found the number 2; expected version 1"),
    "no speakers": (
        "version: 1\n",
        "1: missing key 'speakers'; expected a mapping with version: 1 and speakers",
    ),
    "misspelt speakers": ("version: 1\nspeaker: {}\n", "2: unknown key 'speaker'; did you mean 'speakers'?"),
    "misspelt nested key": (
        TOP + "timing: {latncy: 1s}\n",
        "3: timing: unknown key 'latncy'; did you mean 'latency'?",
    ),
    "foreign key": (
        TOP + "match: {tenant: acme}\n",
        "3: match: unknown key 'tenant'; expected 'conversation'",
    ),
    "limits of nothing": (
        TOP + "limits:\n",
        "3: limits: found nothing; expected a mapping such as {gap: {after: 5s}}",
    ),
    "unknown limit": (
        TOP + "limits: {throtle: off}\n",
        "3: limits: unknown key 'throtle'; did you mean 'throttle'?",
    ),
    "limit switched on": (
        TOP + "limits:\n  gap: on\n",
        "4: limits.gap: found the text 'on'; expected off or a mapping such as {after: 5s}",
    ),
    "limit of another": (
        TOP + "limits:\n  gap: {max: 64 kB}\n",
        "4: limits.gap: unknown key 'max'; expected 'after' or 'action'",
    ),
    "unknown action of a limit": (
        TOP + "limits:\n  throttle: {action: dely}\n",
        "4: limits.throttle.action: unknown action 'dely'; did you mean 'delay'?",
    ),
    "action of another limit": (
        TOP + "limits:\n  chunk: {action: leave}\n",
        "4: limits.chunk.action: unknown action 'leave'; expected 'report', 'error', 'close' or 'off'",
    ),
    "unknown measure": (
        TOP + "limits:\n  throttle: {measure: frames}\n",
        "4: limits.throttle.measure: unknown measure 'frames'; did you mean 'framed'?",
    ),
    "rate without a unit": (
        TOP + "limits:\n  throttle: {rate: 20}\n",
        "4: limits.throttle.rate: found '20'; expected a data rate such as 20 kB/s or 20 KiB/s",
    ),
    "rate in bits": (
        TOP + "limits:\n  throttle: {rate: 160 kbit/s}\n",
        "4: limits.throttle.rate: found '160 kbit/s'; expected a data rate such as 20 kB/s or 20 KiB/s",
    ),
    "rate of nothing": (
        TOP + "limits:\n  throttle: {rate: 0 B/s}\n",
        "4: limits.throttle: throttle.rate is 0; expected more than 0",
    ),
    "rate left out": (
        TOP + "limits:\n  throttle:\n    rate:\n",
        "5: limits.throttle.rate: found nothing; expected a data rate such as 20 kB/s or 20 KiB/s",
    ),
    "size in an unknown unit": (
        TOP + "limits:\n  chunk: {max: 64 KB}\n",
        "4: limits.chunk.max: found '64 KB'; expected a size such as 64 kB, 64 KiB or 64000",
    ),
    "size is a list": (
        TOP + "limits:\n  chunk: {max: [64]}\n",
        "4: limits.chunk.max: found a list; expected a size such as 64 kB, 64 KiB or 64000",
    ),
    "size finer than a byte": (
        TOP + "limits:\n  chunk: {max: 0.0001 kB}\n",
        "4: limits.chunk.max: found '0.0001 kB'; expected a whole number of bytes",
    ),
    "gap of nothing": (
        TOP + "limits:\n  gap: {after: 0s}\n",
        "4: limits.gap: gap.after is 0 ms; expected more than 0",
    ),
    "gap after off": (TOP + "limits:\n  gap: {after: off}\n", f"4: limits.gap.after: found 'off'; {DURATION}"),
    "idle without a duration": (
        TOP + "limits:\n  idle: {after: never}\n",
        f"4: limits.idle.after: found 'never'; {DURATION}",
    ),
    "close code that is never sent": (
        TOP + "limits:\n  idle: {close_code: 1006}\n",
        f"4: limits.idle.close_code: found the number 1006; {CLOSE_CODE}",
    ),
    "fault of nothing": (
        CUE + "{at: 1s, fault: }\n",
        "4: speakers.*[0].fault: found nothing; expected a fault such as reset or {close: 1011}",
    ),
    "unknown bare fault": (
        CUE + "at: 1s\n      fault: rest\n",
        "5: speakers.*[0].fault: unknown fault 'rest'; did you mean 'reset'?",
    ),
    "unknown fault": (
        CUE + "at: 1s\n      fault: {clse: 1011}\n",
        "5: speakers.*[0].fault: unknown key 'clse'; did you mean 'close'?",
    ),
    "fault without its value": (
        CUE + "at: 1s\n      fault: stop_reading\n",
        "5: speakers.*[0].fault: stop_reading takes a duration of more than 0 ms;"
        " expected a mapping such as {stop_reading: 2s}",
    ),
    "fault with a value it does not take": (
        CUE + "at: 1s\n      fault: {reset: 5s}\n",
        "5: speakers.*[0].fault.reset: found the text '5s'; expected true",
    ),
    "fault switched off": (
        CUE + "at: 1s\n      fault: {reset: false}\n",
        "5: speakers.*[0].fault.reset: found false; expected true",
    ),
    "fault that closes with no code": (
        CUE + "at: 1s\n      fault: {close: 999}\n",
        f"5: speakers.*[0].fault.close: found the number 999; {CLOSE_CODE}",
    ),
    "fault with a status of success": (
        CUE + "at: 1s\n      fault: {handshake_status: 200}\n",
        "5: speakers.*[0].fault.handshake_status: found the number 200; expected an HTTP status, 400 to 599",
    ),
    "fault for no time": (
        CUE + "at: 1s\n      fault: {stop_reading: 0s}\n",
        "5: speakers.*[0].fault: stop_reading takes a duration of more than 0 ms; found 0",
    ),
    "two faults": (
        CUE + "at: 1s\n      fault: {close: 1011, reset: true}\n",
        "5: speakers.*[0].fault: the fault has 2 kinds, 'close' and 'reset'; expected one",
    ),
    "fault that never applies": (
        CUE + "at: 1s\n      fault: {reset: true, count: 0}\n",
        "5: speakers.*[0].fault.count: found the number 0; expected a whole number from 1, or all",
    ),
    "fault that is never likely": (
        CUE + "at: 1s\n      fault: {reset: true, probability: 0}\n",
        "5: speakers.*[0].fault.probability: found the number 0; expected a number above 0, at most 1",
    ),
    "event of a fault that is about none": (
        CUE + "at: 1s\n      fault: {close: 1011, event: entity_*}\n",
        "5: speakers.*[0].fault: close is not about events; event is for faults that are",
    ),
    "fault that spans audio": (
        CUE + "{at: 1s, until: 2s, fault: reset}\n",
        "4: speakers.*[0]: 'until' does not go with 'fault'",
    ),
    "fault with a language": (
        CUE + "{at: 1s, fault: reset, lang: fr}\n",
        "4: speakers.*[0]: 'lang' does not go with 'fault'",
    ),
    "ghost neither true nor false": (
        "version: 1\nspeakers:\n  Bob: {ghost: yes, script: []}\n",
        "3: speakers.Bob.ghost: found the text 'yes'; expected true or false",
    ),
    "ghost without a script": (
        "version: 1\nspeakers:\n  Bob: {ghost: true}\n",
        "3: speakers.Bob: missing key 'script'; expected a list of cues, or a mapping with loop and script",
    ),
    "ghost of everyone": (
        "version: 1\nspeakers:\n  '*': {ghost: true, script: []}\n",
        "3: speakers.*: a ghost has a name of its own; '*' is everyone without a script",
    ),
    "say_from of someone alive": (
        "version: 1\nspeakers:\n  Bob:\n    say_from: joined\n    script: []\n",
        "4: speakers.Bob.say_from: say_from is for ghosts; expected ghost: true beside it",
    ),
    "ghost that speaks when it left": (
        "version: 1\nspeakers:\n  Bob:\n    ghost: true\n    say_from: left\n    script: []\n",
        "5: speakers.Bob.say_from: unknown moment 'left'; expected 'joined' or 'first_audio'",
    ),
    "speaker without a name": ('version: 1\nspeakers:\n  "": []\n', "3: speakers.: a speaker has no name"),
    "name is a number": (
        TOP + "scenario: 12\n",
        '3: scenario: found the number 12; expected text, as in "12"',
    ),
    "seed is text": (TOP + "seed: seven\n", "3: seed: found the text 'seven'; expected a whole number"),
    "seed is a fraction": (TOP + "seed: 7.5\n", "3: seed: found the number 7.5; expected a whole number"),
    "match is text": (
        TOP + "match: support\n",
        "3: match: found the text 'support'; expected a mapping such as {conversation: \"support-*\"}",
    ),
    "duration without sense": (
        TOP + "timing:\n  latency: soon\n",
        f"4: timing.latency: found 'soon'; {DURATION}",
    ),
    "duration left out": (
        TOP + "timing:\n  latency:\n  word: 1s\n",
        f"4: timing.latency: found nothing; {DURATION}",
    ),
    "duration of nothing": (TOP + "timing: {word: 0s}\n", "3: timing: word is 0 ms; expected more than 0"),
    "duplicate key": (
        "version: 1\nspeakers: {}\nseed: 1\nseed: 2\n",
        "4: key 'seed' is written twice, on lines 3 and 4",
    ),
    "bare star": (
        "version: 1\nspeakers:\n  *:\n    - {at: 1s, say: oui}\n",
        '3: speakers: found a key that starts with *; expected quotes around it, as in "*":',
    ),
    "speaker without a list": (
        "version: 1\nspeakers:\n  Bob:\n    at: 1s\n    say: oui\n",
        "4: speakers.Bob: found a cue; expected a list of cues, each with '- ' before its first key",
    ),
    "speaker with nothing": (
        "version: 1\nspeakers:\n  Bob:\n",
        "3: speakers.Bob: found nothing; expected a list of cues, or a mapping with loop and script",
    ),
    "cue that is text": (
        CUE + "bonjour\n",
        "4: speakers.*[0]: found the text 'bonjour'; expected a cue such as {at: 1s, say: bonjour}",
    ),
    "misspelt action": (
        CUE + "at: 1s\n      sey: bonjour\n",
        "5: speakers.*[0]: unknown key 'sey'; did you mean 'say'?",
    ),
    "on": (
        CUE + "on: joined\n      say: bonjour\n",
        "4: speakers.*[0]: 'on' is never a key: YAML 1.1 reads it as true; expected 'when' for a moment",
    ),
    "merge key": (
        CUE + "<<: {at: 1s}\n",
        "4: speakers.*[0]: YAML 1.2 has no merge key '<<'; expected the keys themselves",
    ),
    "no trigger": (
        CUE + "say: bonjour\n",
        "4: speakers.*[0]: the cue has no trigger; expected 'at', 'after' or 'when'",
    ),
    "two triggers": (
        CUE + "{at: 1s, after: 1s, say: bonjour}\n",
        "4: speakers.*[0]: the cue has 2 triggers, 'at' and 'after'; expected one",
    ),
    "no action": (
        CUE + "at: 1s\n",
        "4: speakers.*[0]: the cue has no action; expected 'say', 'interim', 'segment', 'normalized',"
        " 'entity', 'relation', 'tags', 'event' or 'fault'",
    ),
    "two actions": (
        CUE + "{at: 1s, segment: a, normalized: A.}\n",
        "4: speakers.*[0]: the cue has 2 actions, 'segment' and 'normalized'; expected one",
    ),
    "unknown moment": (
        CUE + "when: join\n      say: bonjour\n",
        "4: speakers.*[0].when: unknown moment 'join'; did you mean 'joined'?",
    ),
    "until before at": (
        CUE + "at: 2s\n      until: 1s\n      say: oui\n",
        "5: speakers.*[0].until: until is 1000 ms, not after at, 2000 ms",
    ),
    "until without at": (
        CUE + "after: 2s\n      until: 3s\n      say: oui\n",
        "5: speakers.*[0].until: until needs at; after and when have no position to end from",
    ),
    "negative position": (CUE + "{at: -1s, say: oui}\n", f"4: speakers.*[0].at: found '-1s'; {DURATION}"),
    "position finer than audio": (
        CUE + "{at: 0.0001s, say: oui}\n",
        "4: speakers.*[0].at: found '0.0001s'; expected a whole number of milliseconds",
    ),
    "positions out of order": (
        CUE + "{at: 5s, say: a}\n    - {after: 1s, say: b}\n    - {at: 3s, say: c}\n",
        "6: speakers.*[2]: at is 3s, but that of cue [0] on line 4 is 5s; expected cues in order",
    ),
    "loop too short": (
        "version: 1\nspeakers:\n  Bob:\n    loop: 2s\n    script:\n      - {at: 1s, until: 3s, say: a}\n",
        "4: speakers.Bob.loop: loop is 2s, shorter than the script: cue [0] on line 6 ends at 3s",
    ),
    "loop of nothing": (
        "version: 1\nspeakers:\n  Bob: {script: [],\n    loop: 0s}\n",
        "4: speakers.Bob.loop: loop is 0 ms; expected 100 ms or more",
    ),
    "text is a number": (
        CUE + "at: 1s\n      segment: 12\n",
        '5: speakers.*[0].segment: found the number 12; expected text, as in "12"',
    ),
    "text is white space": (
        CUE + "at: 1s\n      segment: ' '\n",
        "5: speakers.*[0].segment: found only white space; expected at least one word",
    ),
    "say is white space": (
        CUE + "at: 1s\n      say: ' '\n",
        "5: speakers.*[0].say: the text is empty; expected at least one word",
    ),
    "notation": (
        CUE + "at: 1s\n      say: a [deux b\n",
        "5: speakers.*[0].say: column 3 of the text: '[' is never closed; expected ']', or '\\[' for a bracket",
    ),
    "notation at the start without quotes": (
        CUE + "at: 1s\n      say: [Lyon](location_city) oui\n",
        "5: not valid YAML: expected <block end>, but found '<scalar>' while parsing a block mapping"
        f" that starts on line 4; {QUOTING}",
    ),
    "json notation without quotes in another key": (
        CUE + 'at: 1s\n      segment: a [deux]{"entity": "number"} b\n',
        f"5: not valid YAML: mapping values are not allowed here; {QUOTING}",
    ),
    "confidence is text": (
        CUE + "at: 1s\n      say: a\n      confidence: high\n",
        "6: speakers.*[0].confidence: found the text 'high'; expected a number from 0 to 1",
    ),
    "confidence out of range": (
        CUE + "at: 1s\n      tags: [{id: a, label: A, confidence: 80}]\n",
        "5: speakers.*[0].tags[0].confidence: found the number 80; expected a number from 0 to 1",
    ),
    "key of another action": (
        CUE + "at: 1s\n      event: {name: a}\n      lang: fr\n",
        "6: speakers.*[0]: 'lang' does not go with 'event'",
    ),
    "entity without source": (
        CUE + "at: 1s\n      entity: {name: location_city}\n",
        "5: speakers.*[0].entity: missing key 'source'; expected a mapping such as"
        " {name: location_city, source: lyon}",
    ),
    "entity name": (
        CUE + "at: 1s\n      entity: {name: location-city, source: a}\n",
        "5: speakers.*[0].entity: entity name 'location-city'; expected letters, digits and underscores",
    ),
    "two confidences": (
        CUE + "{at: 1s, entity: {name: x, source: a, confidence: 0.5}, confidence: 0.4}\n",
        "4: speakers.*[0]: confidence is given twice, in 'entity' and beside it; expected one of them",
    ),
    "relation of nothing": (
        CUE + "at: 1s\n      relation: {name: x, members: []}\n",
        "5: speakers.*[0].relation: members is empty; expected the name of at least one entity",
    ),
    "members is text": (
        CUE + "at: 1s\n      relation: {name: x, members: a}\n",
        "5: speakers.*[0].relation.members: found the text 'a'; expected a list of entity names",
    ),
    "no tags": (
        CUE + "at: 1s\n      tags: []\n",
        "5: speakers.*[0].tags: tags is empty; expected at least one tag",
    ),
    "tags is a mapping": (
        CUE + "at: 1s\n      tags: {id: a}\n",
        "5: speakers.*[0].tags: found a mapping; expected a list of tags",
    ),
    "payload that JSON cannot say": (
        CUE + "at: 1s\n      event: {name: a, payload: {a: .nan}}\n",
        "5: speakers.*[0].event.payload.a: found nan; expected a finite number",
    ),
    "tab": (
        CUE + "at: 1s\n\tsay: a\n",
        "5: not valid YAML: found character '\\t' that cannot start any token",
    ),
    "open quote": (
        CUE + "at: 1s\n      say: 'a\n",
        "6: not valid YAML: found unexpected end of stream while scanning a quoted scalar that starts on line 5",
    ),
    "control character": (
        TOP + "scenario: \x01\n",
        "3: found the character U+0001; YAML allows it only escaped",
    ),
    "half a surrogate pair": (
        CUE + 'at: 1s\n      say: "\\ud800"\n',
        "5: speakers.*[0].say: found half a surrogate pair in '\\ud800'; it cannot be sent",
    ),
    "tag of YAML": (
        CUE + "at: !!float 1\n      say: a\n",
        "4: speakers.*[0].at: found the tag 'tag:yaml.org,2002:float'; a scenario has no tags",
    ),
    "alias of nothing": (
        CUE + "at: *start\n      say: a\n",
        "4: speakers.*[0].at: found the alias '*start'; expected an anchor before it, or quotes",
    ),
    "alias of itself": (
        "version: 1\nspeakers: &a\n  Bob: *a\n",
        "3: speakers.Bob: found the alias '*a'; expected an anchor before it, or quotes",
    ),
    "two documents": (TOP + "---\n" + TOP, "3: a second document starts here; expected one"),
    "key that is a list": (TOP + "? [a]\n: 1\n", "3: found a list or a mapping as a key; expected text"),
    "nesting": (
        TOP + "match: {conversation: " + "[" * 50 + "]" * 50 + "}\n",
        "3: match.conversation" + "[0]" * 39 + ": lists and mappings nest more than 40 deep",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_with_place_and_remedy(mistake: str) -> None:
    document, message = MISTAKES[mistake]
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(document, source="billets.yaml")
    assert str(refused.value) == f"billets.yaml:{message}"


def test_an_error_has_its_parts() -> None:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(CUE + "at: 1s\n      sey: bonjour\n")
    error = refused.value
    assert (error.source, error.line, error.path) == ("<string>", 5, "speakers.*[0]")
    assert error.problem == "unknown key 'sey'; did you mean 'say'?"


def test_aliases_that_swell_are_refused_before_they_do() -> None:
    bomb = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 20)
    )
    with pytest.raises(ScenarioError, match="the document has more than 50000 values"):
        parse_scenario(bomb)


@pytest.mark.parametrize("opening", ["[", "- ", "? ", "{a: "])
def test_deep_nesting_is_refused_before_it_costs(opening: str) -> None:
    with pytest.raises(ScenarioError, match=r"nest more than 40 deep|as a key"):
        parse_scenario(opening * 200_000)


def test_messages_quote_only_the_beginning_of_long_texts() -> None:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(TOP + f"seed: {'x' * 10_000}\n")
    assert len(str(refused.value)) < 200
