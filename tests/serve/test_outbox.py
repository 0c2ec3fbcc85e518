from hypothesis import given
from hypothesis import strategies as st

from telperion.serve.outbox import Message, pack, unpack
from telperion.serve.taken import Origin

places = st.text() | st.sampled_from(["alerts/0", "visit-1.avro", "\udcff of a file's name", "a\0b"])
messages = st.builds(
    Message, st.builds(Origin, places, st.integers(0, 2**63 - 1)), st.binary(max_size=20), st.binary(max_size=300)
)


@given(st.lists(st.lists(messages, max_size=5), max_size=5))
def test_messages_come_back_as_they_were(batch):
    assert unpack(pack(batch)) == batch


def test_many_messages_come_back_in_their_order():
    batch = [[Message(Origin(f"a/{k % 3}", k), b"%d" % (k % 7), bytes(k % 50)) for k in range(5000)], [], []]
    assert unpack(pack(batch)) == batch
