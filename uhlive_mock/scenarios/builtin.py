"""The scenario of a server that was given none."""

from __future__ import annotations

from functools import cache

from ..model.scenario import Scenario
from .builder import scenario


@cache
def builtin_scenario() -> Scenario:
    """A caller who goes from French to English and back, every 20 seconds, in every conversation.

    The first words come within the first second; entities of both languages, a relation and tags follow, so
    the first minute with the service shows every kind of event.
    """
    return (
        scenario("builtin")
        .loop(20)
        .say(
            'bonjour je voudrais [douze]{"entity": "cardinal_number", "value": 12, "display": "12"} billets'
            ' pour [lyon]{"entity": "location_city", "value": "Lyon", "display": "Lyon"}',
            normalized="Bonjour, je voudrais 12 billets pour Lyon.",
            at=0.3,
            until=3.1,
            lang="fr",
            country="fr",
        )
        .tags({"request-for-quote": "Request for quote"}, at=0.3, until=3.1, lang="fr", country="fr")
        .say(
            "and please deliver my parcel to"
            ' [twenty garden street]{"entity": "location_street", "value": "20 Garden Street",'
            ' "display": "20 Garden Street"} in'
            ' [london]{"entity": "location_city", "value": "London", "display": "London"}',
            normalized="And please deliver my parcel to 20 Garden Street in London.",
            at=4.0,
            until=7.6,
            lang="en",
            country="us",
        )
        .relation("location", "location_street", "location_city", at=5.4, until=7.6, lang="en", country="us")
        .say(
            "le train part à"
            ' [huit heures trente]{"entity": "time_hour", "value": "08:30", "display": "8 h 30"} et coûte'
            ' [quarante euros]{"entity": "quantity_money", "value": {"unit": "euro", "value": 40},'
            ' "display": "40 €"}',
            normalized="Le train part à 8 h 30 et coûte 40 €.",
            at=8.6,
            until=12.2,
            lang="fr",
            country="fr",
        )
        .say(
            'call me back at [half past nine]{"entity": "time_hour", "value": "09:30", "display": "9:30"}'
            ' on [five five five zero one four two]{"entity": "telephone_number", "value": "5550142",'
            ' "display": "555 0142"}',
            normalized="Call me back at 9:30 on 555 0142.",
            at=13.0,
            until=16.8,
            lang="en",
            country="us",
        )
        .say("merci beaucoup", normalized="Merci beaucoup.", at=17.6, until=18.8, lang="fr", country="fr")
        .build()
    )
