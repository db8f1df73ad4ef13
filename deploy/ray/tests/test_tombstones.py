from deliberation_ray.tombstones import Tombstones


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_tombstone_stands_until_the_later_of_its_ends() -> None:
    clock = Clock()
    tombstones = Tombstones(clock)
    tombstones.bury("t1", "d", 100)
    tombstones.bury("t1", "", 10)
    clock.now += 99
    assert "t1" in tombstones
    assert tombstones.plain() == [{"submission_id": "t1", "deliberation": "d", "seconds": 1.0}]
    clock.now += 2
    assert "t1" not in tombstones
    assert tombstones.plain() == []


def test_the_oldest_goes_beyond_the_limit() -> None:
    tombstones = Tombstones(Clock(), limit=2)
    for key in ("t1", "t2", "t3"):
        tombstones.bury(key, "", 100)
    assert [key for key in ("t1", "t2", "t3") if key in tombstones] == ["t2", "t3"]
