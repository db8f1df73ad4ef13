"""Which turns may be another Ray cluster's."""

import pytest

from deliberation_ray.origin import is_elsewhere, new_incarnation

MARK = "cluster1.place1"


@pytest.mark.parametrize(
    ("incarnation", "elsewhere"),
    [
        (new_incarnation(MARK), False),
        (new_incarnation("cluster2.place2"), True),
        (new_incarnation("cluster2.place1"), False),  # started again at the same place: the one before is gone
        (new_incarnation("cluster1.place2"), False),  # the same one, whose control service has moved
        ("", False),  # the answer of the submit was lost
        ("i", False),
    ],
)
def test_where_an_incarnation_is_from(incarnation: str, elsewhere: bool) -> None:
    assert is_elsewhere(incarnation, MARK) is elsewhere


def test_an_incarnation_is_short_enough_to_be_sent_back() -> None:
    longest = new_incarnation("0" * 12 + "." + "0" * 8)
    assert len(longest) <= 64
    assert new_incarnation(MARK) != new_incarnation(MARK)
