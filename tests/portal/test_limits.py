"""Buckets and slots: nobody gets more than is theirs, and nobody is remembered for ever."""

from hypothesis import given
from hypothesis import strategies as st

from telperion.portal import limits
from telperion.portal.limits import Buckets, Slots


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_over_any_time_no_more_is_taken_than_the_burst_and_what_came_back(waits):
    now = [0.0]
    buckets = Buckets(rate=2.0, burst=3.0, clock=lambda: now[0])
    taken = 0
    for wait in waits:
        now[0] += wait / 10
        taken += buckets.wait("me") == 0
        assert taken <= 3.0 + 2.0 * now[0] + 1e-6


def test_one_client_does_not_empty_the_bucket_of_another_and_dear_requests_cost_more():
    buckets = Buckets(rate=1.0, burst=10.0, clock=lambda: 0.0)
    assert buckets.wait("me", 10.0) == 0
    assert buckets.wait("me") == 1.0
    assert buckets.wait("you") == 0


def test_a_request_dearer_than_the_bucket_waits_for_a_full_one():
    buckets = Buckets(rate=1.0, burst=2.0, clock=lambda: 0.0)
    assert buckets.wait("me", 5.0) == 0
    assert buckets.wait("me", 1.0) > 0


def test_clients_are_forgotten_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(limits, "_CLIENTS", 3)
    buckets = Buckets(rate=1.0, burst=1.0, clock=lambda: 0.0)
    for client in "abcd":
        buckets.wait(client)
    assert len(buckets._left) == 3
    assert buckets.wait("a") == 0


def test_a_place_that_is_left_is_free_again():
    slots = Slots(most=2, most_each=1)
    assert slots.take("a")
    assert not slots.take("a")
    assert slots.take("b")
    assert not slots.take("c")
    slots.leave("a")
    assert len(slots) == 1
    assert slots.take("c")
