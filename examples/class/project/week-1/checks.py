"""Checks for week 1. Reading them is allowed; they say what is asked, not how to do it."""

import numpy as np

TO_DO = "still to do; replace the three dots."


def _say(name, problem):
    print(f"✗ {name}: {problem}" if problem else f"✓ {name}: well done.")


def _is_missing(value):
    return value is ... or value is None


def _number(value, expected):
    """What is wrong with a number, or nothing."""
    if _is_missing(value):
        return TO_DO
    try:
        value = float(value)
    except (TypeError, ValueError):
        return f"should be a number, but is of type {type(value).__name__}."
    if not np.isclose(value, expected, rtol=1e-3):
        return f"{value:.4g} is not it yet."
    return None


def share_wet(weather, wet, share):
    """1. `wet` marks each day with any rain; `share` is their share."""
    expected = weather["rain_mm"] > 0
    if _is_missing(wet):
        problem = TO_DO
    elif np.shape(wet) != expected.shape:
        problem = f"wants an entry for each of the {len(expected)} days, but its shape is {np.shape(wet)}."
    elif not np.array_equal(np.asarray(wet), expected.to_numpy()):
        problem = "wants true exactly on days with more than 0 mm of rain."
    else:
        problem = None
    _say("wet", problem)
    _say("share_wet", _number(share, expected.mean()))


def rain_by_month(weather, rain):
    """2. Mean rain of each calendar month, in mm; index 1 to 12."""
    rain_mm = weather["rain_mm"]
    total = rain_mm.groupby(rain_mm.index.month).sum().to_numpy()
    years = rain_mm.index.year.nunique()
    if _is_missing(rain):
        problem = TO_DO
    elif np.shape(rain) != (12,):
        problem = f"wants twelve numbers, but its shape is {np.shape(rain)}."
    elif not np.issubdtype(np.asarray(rain).dtype, np.number):
        problem = "wants twelve numbers, but not all of these are."
    elif np.allclose(rain, total, rtol=1e-3):
        problem = f"this is all {years} Januaries (and so on) added up; what is an average one?"
    elif np.allclose(rain, rain_mm.groupby(rain_mm.index.month).mean(), rtol=1e-3):
        problem = "this is the mean of a day; asked is the rain of a month."
    elif not np.allclose(rain, total / years, rtol=1e-3):
        problem = "twelve numbers, but not the right ones yet."
    elif list(getattr(rain, "index", range(1, 13))) != list(range(1, 13)):
        problem = "the numbers are right, but the index should be 1 to 12."
    else:
        problem = None
    _say("rain_by_month", problem)


def longest_run(function):
    """3. Length of the longest unbroken run of true values."""
    for values, expected in [
        ([True, True, False, True], 2),
        ([True, False, True, True, True], 3),
        ([False, False], 0),
        ([], 0),
        ([True] * 5, 5),
    ]:
        try:
            got = function(values)
        except Exception as error:  # a student's function may raise anything
            return _say("longest_run", f"longest_run({values}) stops with {type(error).__name__}: {error}")
        if _is_missing(got):
            return _say("longest_run", "returns nothing yet.")
        if not isinstance(got, (int, np.integer)):
            return _say("longest_run", f"wants a whole number, but returns something of type {type(got).__name__}.")
        if got != expected:
            return _say("longest_run", f"longest_run({values}) should be {expected}, but is {got}.")
    return _say("longest_run", None)


def yesterday(weather, after_wet, after_dry):
    """4. Share of wet days among those that follow a wet, or a dry, day."""
    wet = weather["rain_mm"].to_numpy() > 0
    today, before = wet[1:], wet[:-1]
    _say("after_wet", _number(after_wet, today[before].mean()))
    _say("after_dry", _number(after_dry, today[~before].mean()))
