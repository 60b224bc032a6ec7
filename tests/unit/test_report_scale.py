"""The time line of the picture: true to time, except where it stood still for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegate.reports.scale import make_scale


def test_without_standstills_places_are_proportional():
    scale = make_scale(100.0, 200.0)
    assert [scale.place(at) for at in (0, 100, 125, 200, 300)] == [0, 0, 25, 100, 100]


def test_a_long_standstill_takes_little_room_and_a_short_one_its_own():
    scale = make_scale(0.0, 3700.0, [(50.0, 3650.0)])
    assert scale.place(3650.0) - scale.place(50.0) == pytest.approx(7.0)
    assert make_scale(0.0, 100.0, [(50.0, 55.0)]).folds == ()


def test_ticks_are_round_times_and_none_is_inside_a_fold():
    assert [tick.label for tick in make_scale(0.0, 60.0).ticks()] == [
        "0", "10 s", "20 s", "30 s", "40 s", "50 s", "1 min",
    ]  # fmt: skip
    folded = make_scale(0.0, 7300.0, [(50.0, 7250.0)])
    inside = [tick for tick in folded.ticks() if folded.place(50.0) < tick.left < folded.place(7250.0)]
    assert inside == []


@given(
    length=st.floats(0.0, 1e7),
    edges=st.lists(st.floats(-0.2, 1.2), max_size=10).map(sorted),
    instants=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20).map(sorted),
)
def test_a_later_instant_never_lies_left_of_an_earlier_one(length, edges, instants):
    standstills = [(a * length, b * length) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    scale = make_scale(0.0, length, standstills)
    places = [scale.place(share * length) for share in instants]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert all(0 <= tick.left <= 100 for tick in scale.ticks())
    assert len(scale.ticks()) <= 12
