"""What a runner may have that doesn't answer."""

from types import SimpleNamespace

from deliberation_ray.sent import Sent


def test_it_is_remembered_for_a_while() -> None:
    clock = SimpleNamespace(now=0.0)
    sent = Sent(lambda: clock.now)
    sent.note("a", ["t1", "t2"])
    assert sent.may_be_at("a", ["t2", "t3"])
    assert not sent.may_be_at("b", ["t1", "t2"])
    sent.clear(["t2"])
    assert not sent.may_be_at("a", ["t2"])
    clock.now = 601
    assert not sent.may_be_at("a", ["t1"])


def test_it_is_bounded() -> None:
    sent = Sent(lambda: 0.0, limit=2)
    sent.note("a", ["t1", "t2"])
    sent.note("a", ["t1", "t3"])
    assert [sent.may_be_at("a", [key]) for key in ("t1", "t2", "t3")] == [True, False, True]
