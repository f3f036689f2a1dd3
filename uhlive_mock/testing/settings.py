"""What a test's space is made with, and which of the places that may say so wins.

    setting     in the test  on the command line              in the environment      in the ini file
    scenario    scenario=
    limits      limits=
    clock       clock=       --uhlive-mock-clock audio        UHLIVE_MOCK_CLOCK       uhlive_mock_clock
    rate        rate=        --uhlive-mock-rate 10            UHLIVE_MOCK_RATE        uhlive_mock_rate
    vocabulary  vocabulary=  --uhlive-mock-vocabulary legacy  UHLIVE_MOCK_VOCABULARY  uhlive_mock_vocabulary
    seed        seed=        --uhlive-mock-seed 7 or random   UHLIVE_MOCK_SEED        uhlive_mock_seed
    strict      strict=      --uhlive-mock-[no-]strict        UHLIVE_MOCK_STRICT      uhlive_mock_strict
    allow       allow=       --uhlive-mock-allow RULE[,RULE]  UHLIVE_MOCK_ALLOW       uhlive_mock_allow
    artifacts                --uhlive-mock-artifacts DIR      UHLIVE_MOCK_ARTIFACTS   uhlive_mock_artifacts

Each place is a layer, and for each setting the closest layer that says something wins:

    marker on the function > on its class > on its module > fixture `uhlive_mock_options`
        > command line > environment > ini file > default

with two remarks. What `allow` names adds up over all layers. A `rate` is for the real clock; one that was said
farther away than a clock which is not real is passed over: a test chooses its clock whatever the run says.

Values are read in the same way wherever they come from. Only what a test itself may say (a scenario, limits) needs
more of this package than its errors, and only then is it imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from os import PathLike, fspath
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from ..errors import ConfigurationError, unknown

if TYPE_CHECKING:
    from ..model.limits import Limits
    from ..server.space_options import ScenarioSource

T = TypeVar("T")

CLOCKS = ("real", "audio", "manual")
VOCABULARIES = ("universal", "legacy")
RANDOM = "random"
"""A seed that is another one each time; the run draws it and says which it was."""


class Setting(Generic[T]):
    """One thing that can be set.

    Plain classes here, since a dataclass takes longer to make than the rest of the module.

    Args:
        read: makes a value of what a layer says, or raises a `ConfigurationError` that says what it found and
            what it expected.
        metavar: what the command line calls the value; without one, only a test can set it.
        of_a_test: whether a test can set it.
        adds_up: whether what farther layers say holds as well; for tuples.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[object], T],
        default: T,
        help: str,
        metavar: str | None = None,
        *,
        of_a_test: bool = True,
        adds_up: bool = False,
    ) -> None:
        self.name = name
        self.read = read
        self.default = default
        self.help = help
        self.metavar = metavar
        self.of_a_test = of_a_test
        self.adds_up = adds_up

    @property
    def dest(self) -> str:
        """What pytest's options and ini keys call it."""
        return f"uhlive_mock_{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return self.dest.upper()

    @property
    def option(self) -> str:
        """The command-line option that sets it."""
        return "--" + self.dest.replace("_", "-")


class Layer:
    """What one place says: the settings it names and their values, still to be read. None says nothing.

    `spelling` is the attribute of a setting that has its name as that place writes it, for messages.
    """

    def __init__(self, origin: str, said: Mapping[str, object], spelling: str = "name") -> None:
        self.origin = origin
        self.said = said
        self.spelling = spelling


def layer_of_a_test(origin: str, said: Mapping[str, object]) -> Layer:
    """What a test says.

    Raises:
        ConfigurationError: a keyword that no test can say; the message names what may have been meant.
    """
    for name in said:
        if name not in BY_NAME or not BY_NAME[name].of_a_test:
            known = [setting.name for setting in SETTINGS if setting.of_a_test]
            raise ConfigurationError(f"{origin}: {unknown('keyword', str(name), known)}")
    return Layer(origin, said)


class Settings:
    """What holds after every layer, closest first; `settings[CLOCK]` is a value.

    Raises:
        ConfigurationError: a layer gives a setting a value it cannot have; the message says where.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = tuple(layers)
        self._values = {setting.name: self._find(setting) for setting in SETTINGS}

    def __getitem__(self, setting: Setting[T]) -> T:
        """The value of a setting."""
        return cast(T, self._values[setting.name])

    def named(self, names: Iterable[str]) -> dict[str, object]:
        """The values of the settings that have one of these names, by name."""
        return {name: self._values[name] for name in names if name in self._values}

    def distance(self, setting: Setting[T]) -> int:
        """How far away a setting was set: 0 in the closest layer, the number of layers for a default."""
        for distance, layer in enumerate(self._layers):
            if layer.said.get(setting.name) is not None:
                return distance
        return len(self._layers)

    def is_set(self, setting: Setting[T]) -> bool:
        """Whether any layer says something about it."""
        return self.distance(setting) < len(self._layers)

    @property
    def rate(self) -> float:
        """The rate that is meant for the chosen clock."""
        if self[CLOCK] != "real" and self.distance(CLOCK) < self.distance(RATE):
            return RATE.default
        return self[RATE]

    def _find(self, setting: Setting[T]) -> T:
        # Every layer is read, also those that do not win: a mistake is told where it is made.
        found = [self._read(setting, layer) for layer in self._layers if layer.said.get(setting.name) is not None]
        if setting.adds_up:
            rules = [rule for value in found for rule in cast("tuple[str, ...]", value)]
            return cast(T, tuple(dict.fromkeys(rules)))
        return found[0] if found else setting.default

    def _read(self, setting: Setting[T], layer: Layer) -> T:
        try:
            return setting.read(layer.said[setting.name])
        except ConfigurationError as problem:
            name: str = getattr(setting, layer.spelling)
            raise ConfigurationError(f"{layer.origin}: {name}: {problem}") from None


# --- reading values -------------------------------------------------------------------------------------------


def _one_of(choices: tuple[str, ...]) -> Callable[[object], str]:
    def read(said: object) -> str:
        if isinstance(said, str) and said.strip().lower() in choices:
            return said.strip().lower()

        remedy = unknown("", str(said), choices).partition("; ")[2]
        raise ConfigurationError(f"found {said!r}; {remedy}")

    return read


def _rate(said: object) -> float:
    try:
        rate = float(said) if isinstance(said, str | int | float) and not isinstance(said, bool) else 0.0
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise ConfigurationError(f"found {said!r}; expected a number of times real time, more than 0")
    return rate


def _seed(said: object) -> int | str:
    if said == RANDOM:
        return RANDOM
    if isinstance(said, int | str) and not isinstance(said, bool):
        with suppress(ValueError):
            return int(said)
    raise ConfigurationError(f"found {said!r}; expected a whole number or {RANDOM!r}")


_TRUTHS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)


def _strict(said: object) -> bool:
    value = said if isinstance(said, bool) else _TRUTHS.get(said.strip().lower()) if isinstance(said, str) else None
    if value is None:
        raise ConfigurationError(f"found {said!r}; expected true or false")
    return value


def _rules(said: object) -> tuple[str, ...]:
    if isinstance(said, str):
        return tuple(said.replace(",", " ").split())
    if isinstance(said, Iterable):
        rules = tuple(said)
        if all(isinstance(rule, str) for rule in rules):
            return tuple(part for rule in rules for part in _rules(rule))
    raise ConfigurationError(f"found {said!r}; expected the names of rules, such as ['missing_heartbeat']")


def _folder(said: object) -> str:
    if not isinstance(said, str | PathLike) or not fspath(said):
        raise ConfigurationError(f"found {said!r}; expected a folder")
    return str(fspath(said))


def _scenario(said: object) -> tuple[ScenarioSource, ...]:
    from ..model.scenario import Scenario

    found = tuple(said) if isinstance(said, list | tuple) else (said,)
    for source in found:
        if not isinstance(source, Scenario | str | PathLike):
            hint = "; end the builder with .build()" if hasattr(source, "build") else ""
            raise ConfigurationError(f"found {source!r}; expected a scenario, a path, or a list of either{hint}")
    return cast("tuple[ScenarioSource, ...]", found)


def _limits(said: object) -> Limits:
    import json

    from ..errors import ScenarioError
    from ..model.limits import Limits
    from ..scenarios import parse_scenario

    if isinstance(said, Limits):
        return said
    if not isinstance(said, Mapping):
        raise ConfigurationError(
            f"found {said!r}; expected Limits, or a mapping as in a scenario: {{'gap': {{'after': '3s'}}}}"
        )
    document = {"version": 1, "limits": said, "speakers": {}}
    try:
        return parse_scenario(json.dumps(document, default=repr)).limits or Limits()  # JSON is YAML
    except ScenarioError as problem:
        key = problem.path.removeprefix("limits").removeprefix(".")
        raise ConfigurationError(f"{key}: {problem.problem}" if key else problem.problem) from None


# --- the table ------------------------------------------------------------------------------------------------

SCENARIO: Setting[tuple[ScenarioSource, ...]] = Setting("scenario", _scenario, (), "who says what, and when")
LIMITS: Setting[Limits | None] = Setting("limits", _limits, None, "the service's rules of time and size")
CLOCK: Setting[str] = Setting("clock", _one_of(CLOCKS), "audio", "what moves a test's time", "CLOCK")
RATE: Setting[float] = Setting("rate", _rate, 1.0, "how fast the real clock runs", "RATE")
VOCABULARY: Setting[str | None] = Setting(
    "vocabulary", _one_of(VOCABULARIES), None, "how events are named; the SDK's by default", "NAME"
)
SEED: Setting[int | str] = Setting("seed", _seed, 0, "decides everything random; 'random' draws one", "SEED")
STRICT: Setting[bool] = Setting("strict", _strict, True, "whether what the client did wrong fails its test", "BOOL")
ALLOW: Setting[tuple[str, ...]] = Setting(
    "allow", _rules, (), "rules that may be broken, with a comma between them", "RULE", adds_up=True
)
ARTIFACTS: Setting[str | None] = Setting(
    "artifacts",
    _folder,
    None,
    "where journals and recordings of failed tests are kept; pytest's cache by default",
    "DIR",
    of_a_test=False,
)

SETTINGS: tuple[Setting[object], ...] = cast(
    "tuple[Setting[object], ...]",
    (SCENARIO, LIMITS, CLOCK, RATE, VOCABULARY, SEED, STRICT, ALLOW, ARTIFACTS),
)
OF_A_RUN = [setting for setting in SETTINGS if setting.metavar]
"""Those that the command line, the environment and the ini file can set as well."""

BY_NAME = {setting.name: setting for setting in SETTINGS}
