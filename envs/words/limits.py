"""What cannot be had, why, and what comes nearest: for words that the lexicons list under ``cannot=``."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """Why a wish cannot be honoured, and the nearest that can."""

    why: str
    nearest: str


WITHOUT = "the scene without it"
"""The nearest wish where no other is near."""

CANNOT: dict[str, Limit] = {
    "colour": Limit("the colours of vehicles are left to chance", "a truck cuts in"),
    "look": Limit("what vehicles and roads look like is left to chance", "a truck cuts in"),
    "signal": Limit("there are no traffic lights or signs", "an intersection"),
    "crosswalk": Limit("there are no marked crossings or pavements", "a pedestrian crosses"),
    "accident": Limit("a collision cannot be staged, only what may lead to one", "the vehicle ahead brakes hard"),
    "overtake": Limit("what other vehicles do beside or behind cannot be staged", "a car cuts in from the left"),
    "ego_manner": Limit("how the ego drives is up to its driver", "at 50 km/h"),
    "behind": Limit("nothing can be staged behind; the key `cameras` looks there", "a car cuts in from the left"),
    "place": Limit("surroundings are left to chance", "a winding road"),
    "wind": Limit("of the weather there are clear, rain, fog and snow", "rain"),
    "roadworks": Limit("nothing but vehicles, pedestrians and cyclists stands in the way", "a stopped vehicle ahead"),
    "picture": Limit("how the picture is taken is up to the scenario's key `cameras`", "at dusk"),
    "cabin": Limit("the ego has no panes, lights, seats or instruments; only the road is seen", WITHOUT),
    "sensor": Limit("the only sensors are the scenario's key `cameras`, and they have no faults", "fog"),
    "sound": Limit("there is no sound", WITHOUT),
    "fault": Limit("the ego has neither faults nor assistants, only its driver", "a stopped car ahead"),
    "deed": Limit("people cross the road and do nothing else", "a pedestrian crosses"),
    "slope": Limit("roads are level, of fixed lane width and open both ways or one as their kind is", "a winding road"),
    "train": Limit("on the road are cars, vans, trucks, pedestrians and cyclists", "a truck crosses"),
    "animal": Limit("on the road are cars, vans, trucks, pedestrians and cyclists", "a pedestrian crosses"),
    "emergency": Limit("there are no emergency services", "a van cuts in"),
    "u_turn": Limit("nobody turns round or drives the wrong way", "a two-way road with oncoming traffic"),
    "repeat": Limit("an event happens once, at its time", "a car cuts in after 5 s, then another"),
}

ACTS = ("overtake", "accident", "u_turn")
"""Of these, what somebody does: who does it does nothing else there."""

DOERS = (
    "animal", "signal", "train", "place", "roadworks", "emergency", "wind", "crosswalk", "cabin", "sensor",
    "sound", "fault",
)  # fmt: skip
"""Of these, what is not there and yet may be said to do something: nothing happens then."""

NONE_HERE = "there is none here"
UNREAD = "it is not among the words that are known here"
NO_PLACE = "it says nothing that could be used where it stands"
NOT_THERE = Limit("who does it is not there", "a car cuts in")
OTHERS_ROUTE = Limit("the routes of other vehicles are left to chance", "a vehicle crosses at the intersection")
OTHERS_SPEED = Limit("speeds of other vehicles cannot be chosen", "a slow truck ahead")
WHICH_TRAFFIC = Limit("which vehicles ordinary traffic consists of is left to chance", "a slow truck ahead")
ONE_DRIVER = Limit("how one vehicle is driven cannot be chosen, only who drives at all", "aggressive drivers")
EGO_ACTS = Limit("what the ego does is up to its driver", "the vehicle ahead brakes hard")
