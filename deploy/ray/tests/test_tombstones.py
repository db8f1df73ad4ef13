from deliberation_ray.tombstones import Tombstones


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counted(float):
    """A moment that counts how often it is looked at."""

    looks = 0

    def __add__(self, seconds: float) -> "Counted":
        return Counted(float(self) + seconds)

    def __gt__(self, other: float) -> bool:
        Counted.looks += 1
        return float(self) > float(other)


def test_a_tombstone_stands_until_the_later_of_its_ends() -> None:
    clock = Clock()
    tombstones = Tombstones(clock)
    tombstones.bury("t1", "d", 100)
    tombstones.bury("t1", "", 10)
    clock.now += 99
    assert "t1" in tombstones
    assert tombstones.plain() == [{"submission_id": "t1", "owner": "", "deliberation": "d", "seconds": 1.0}]
    clock.now += 2
    assert "t1" not in tombstones
    assert tombstones.plain() == []


def test_the_one_buried_longest_ago_goes_beyond_the_limit() -> None:
    tombstones = Tombstones(Clock(), limit=2)
    for key in ("t1", "t2", "t1", "t3"):
        tombstones.bury(key, "", 100)
    assert [key for key in ("t1", "t2", "t3") if key in tombstones] == ["t1", "t3"]


def test_those_that_are_over_go_before_one_that_stands() -> None:
    clock = Clock()
    tombstones = Tombstones(clock, limit=8)
    tombstones.bury("long", "", 1000)
    for number in range(7):
        tombstones.bury(f"short{number}", "", 1)
    clock.now += 10
    tombstones.bury("late", "", 1000)
    assert [stone["submission_id"] for stone in tombstones.plain()] == ["long", "late"]


def test_a_full_graveyard_is_seldom_looked_through() -> None:
    limit, burials = 800, 8000
    tombstones = Tombstones(lambda: Counted(1000), limit)
    Counted.looks = 0
    for number in range(burials):
        tombstones.bury(f"t{number}", "", 100)
    assert Counted.looks / burials < 12
    assert len(tombstones.plain()) == limit


def test_a_tombstone_is_its_owners() -> None:
    tombstones = Tombstones(Clock(), limit=2)
    tombstones.bury("t1", "", 100, "a")
    assert tombstones.has("t1", "a")
    assert not tombstones.has("t1", "b")
    assert "t1" in tombstones
    tombstones.bury("t1", "", 100, "b")
    tombstones.bury("t2", "", 100)
    assert not tombstones.has("t1", "a")
    assert tombstones.has("t1", "b")
    assert tombstones.has("t2", "anybody")
