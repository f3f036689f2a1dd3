"""What a test does to a conversation while it lives: it pushes events, and it drops speakers.

    push(space, conversation, events, now)      everyone who is there hears them, in the order given
    drop(space, speaker, now, conversation)     phx_close to the speaker, then its speaker_left to everyone

A pushed event is made whole by whoever speaks it (`Aside`): a participant, a ghost of the scenario, or somebody
who is not there at all, and who speaks as one would who joins with nothing but a name.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from ..errors import ConfigurationError
from ..model.events import Event, Raw, SpeakerLeft
from ..model.scenario import RawEvent
from ..scenarios.events import Joining, LiveEvent, Pushed
from .admission import JoinOptions
from .casting import Casting
from .channel import Channel
from .conversation import Conversation
from .player import Player
from .space import Space


def push(space: Space, conversation: str, events: Iterable[Pushed], now: float) -> None:
    """Tell everyone in the live conversation of that id or topic.

    Raises:
        ConfigurationError: nobody is in it.
    """
    live = space.live(conversation)
    for event in events:
        live.broadcast(_whole(space, live, event, now), now)


def drop(space: Space, speaker: str, now: float, conversation: str | None = None) -> None:
    """Make a participant leave the conversation of that id or topic, or every one it is in; a ghost is laid.

    Raises:
        ConfigurationError: nobody is in that conversation, or nobody of that name.
    """
    live = list(space.conversations.values()) if conversation is None else [space.live(conversation)]
    present = [(name, each.id) for each in live for name in _names(each)]
    if speaker not in {name for name, _ in present}:
        found = ", ".join(f"{name!r} in {place!r}" for name, place in present) or "nobody"
        where = "any conversation" if conversation is None else f"conversation {live[0].id!r}"
        raise ConfigurationError(f"no speaker {speaker!r} is in {where}; joined: {found}")
    for each in live:
        ghosts = [ghost for ghost in each.ghosts if ghost.speaker == speaker]
        channels = _channels(each)
        if ghosts:
            each.lay_ghosts(ghosts, now, channels[0].strike_for_ghost)
        for channel in channels:
            if channel.speaker == speaker and channel in each.participants:
                channel.dismiss(now)


def _names(conversation: Conversation) -> list[str]:
    names = [channel.speaker for channel in _channels(conversation)]
    return names + [ghost.speaker for ghost in conversation.ghosts]


def _channels(conversation: Conversation) -> list[Channel]:
    return [participant for participant in conversation.participants if isinstance(participant, Channel)]


def _whole(space: Space, conversation: Conversation, pushed: Pushed, now: float) -> Event:
    if isinstance(pushed, RawEvent):
        return Raw(speaker="", name=pushed.name, payload=pushed.payload)
    player = _present(conversation, pushed.speaker) or _absent(space, conversation, pushed)
    event = player.aside.event(pushed, player.received_ms, now + conversation.lead)
    if isinstance(event, SpeakerLeft) and event.reason is None:
        return structs.replace(event, reason=space.behaviour.left_reason)
    return event


def _present(conversation: Conversation, speaker: str) -> Player | None:
    """Whoever speaks under that name: the one who joined last, else a ghost. An observer speaks nothing."""
    for channel in reversed(_channels(conversation)):
        if channel.speaker == speaker and not channel.options.readonly:
            return channel.player
    return next((ghost.player for ghost in conversation.ghosts if ghost.speaker == speaker), None)


def _absent(space: Space, conversation: Conversation, pushed: LiveEvent) -> Player:
    known = conversation.absent.get(pushed.speaker)
    if known and not isinstance(pushed.action, Joining):
        return known
    options = JoinOptions(speaker=pushed.speaker)
    if isinstance(pushed.action, Joining):
        model, country = pushed.action.lang or options.model, pushed.action.country or options.country
        options = structs.replace(options, model=model, country=country)
    scenario = space.scenario_for(conversation.id)
    player = Casting(space, scenario, conversation, options).absent()
    conversation.absent[pushed.speaker] = player
    return player
