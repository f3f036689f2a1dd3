"""Where two sounds that drift apart are the same again.

A probe, a tenth of a second that is no silence, is taken of one of them and looked for in the other, by the sum
of the squares of what differs:

    a probe of what came, found later in what was expected     something is missing
    a probe of what was expected, found later in what came     too much came

The sum is the two energies less twice the correlation, and the correlation of a long sound with a short probe is
quick by FFT, block by block. Of several places, as a tone has, that counts from where most is the same, then the
nearest. What explains the whole difference in length is tried before anything is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .sound import Samples

PROBE = 800
"""Samples of a probe."""

_PROBES = 4
"""How many probes are tried, one behind the other."""

_REACH = 100
"""How many lengths of a probe are looked through for sound, so that silence is passed over."""

_PLACES = 20
"""How many places that look alike are looked at."""

_SHORTEST = 16
_BLOCK = 65_536
_LOUD = 64
"""A probe must span more than this from its least to its greatest sample."""


class Shift(msgspec.Struct, frozen=True):
    """So many samples are missing, or so many too many came; one of the two is 0."""

    missing: int
    extra: int


Same = Callable[[int, int], int]
"""How many samples are the same from a place in what came and a place in what was expected on."""


def find_shift(received: Samples, expected: Samples, same: Same) -> Shift | None:
    """What to leave out at the start of one sound so that it goes on like the other; None when nothing helps."""
    shorter = len(expected) - len(received)
    likeliest = Shift(max(0, shorter), max(0, -shorter))
    if shorter and same(likeliest.extra, likeliest.missing) == min(len(received), len(expected)):
        return likeliest
    found = [Shift(missing, 0) for missing in _offsets(received, expected)]
    found += [Shift(0, extra) for extra in _offsets(expected, received)]
    least = min(PROBE, len(received), len(expected)) // 2
    good = [(length, shift) for shift in found if (length := same(shift.extra, shift.missing)) >= least]
    if not good:
        return None
    return max(good, key=lambda each: (each[0], -each[1].missing - each[1].extra))[1]


def _offsets(of: Samples, within: Samples) -> Iterator[int]:
    """By how much later probes of one sound are found in another; the likeliest first."""
    import numpy as np

    size = min(PROBE, len(of), len(within))
    if size < _SHORTEST:
        return
    probes = 0
    for place in range(0, min(len(of) - size + 1, _REACH * size), size):
        probe = of[place : place + size].astype(np.float64)
        if np.ptp(probe) <= _LOUD:
            continue
        probes += 1
        errors = _errors(within[place + 1 :], probe)
        # The law's quantisation leaves an error of a few hundredths of the energy at most.
        limit = 1 + 0.02 * float(probe @ probe)
        alike = np.flatnonzero(errors <= limit)
        if len(alike):
            likeliest = np.argsort(np.floor(10 * errors[alike] / limit), kind="stable")
            yield from (int(offset) + 1 for offset in alike[likeliest[:_PLACES]])
            return
        if probes == _PROBES:
            return


def _errors(within: Samples, probe: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the squares of what differs, for each place the probe may have in a sound."""
    import numpy as np

    size = len(probe)
    if len(within) < size:
        return np.empty(0)
    samples = within.astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(samples * samples)))
    energy = sums[size:] - sums[:-size]
    mirrored = np.conj(np.fft.rfft(probe, _BLOCK))
    step = _BLOCK - size + 1
    correlation = np.empty(len(energy))
    for start in range(0, len(energy), step):
        block = np.fft.rfft(samples[start : start + _BLOCK], _BLOCK)
        part = np.fft.irfft(block * mirrored, _BLOCK)[:step]
        correlation[start : start + step] = part[: len(energy) - start]
    errors: NDArray[np.float64] = energy - 2 * correlation + probe @ probe
    return errors
