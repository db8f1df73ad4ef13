"""A pool whose runners answer what the test says, and what callers ask of them."""

from collections.abc import Coroutine
from typing import Any

from submission import submitted, turn

from deliberation_ray.dispatch import Dispatch
from deliberation_ray.pool import CONTROL_SECONDS, Pool
from deliberation_ray.settings import Settings
from deliberation_ray.wire import Await, End

OLD = "runner/0a/0"
MARK = "cluster1.place1"
ELSEWHERE = "cluster2.place2.i"


class Runners(Pool):
    """Keeps what was asked."""

    def __init__(self) -> None:
        super().__init__("ff", Settings(ray_open=True, runners=2))
        self.others = [OLD]
        self.asked: list[tuple[str, str]] = []
        self.given: list[tuple[str, float]] = []
        self.given_to: list[tuple[str, str]] = []
        self.has: dict[str, list[str]] = {}
        self.broken: dict[str, Exception] = {}
        self.ended: set[str] = set()
        self.told: set[tuple[str, str, str]] = set()
        self.bodies: list[bytes] = []
        self.text_seconds: list[float] = []
        self.dead: set[str] = set()  # Ray says that their processes don't run

    async def is_alive(self, name: str) -> bool:
        return name not in self.dead

    async def call(self, name: str, method: str, *args: Any, seconds: float = CONTROL_SECONDS) -> Any:
        if method != "known":
            self.asked.append((name, method))
        self.given.append((method, seconds))
        self.given_to.append((name, method))
        if name in self.broken:
            raise self.broken[name]
        if method == "known":
            return [key for key in args[0] if key in self.has.get(name, [])]
        return await getattr(self, f"_{method}")(name, *args)

    async def _submit(self, name: str, body: bytes, traceparent: str) -> dict[str, Any]:
        self.bodies.append(body)
        return {"incarnation": name, "turns": []}

    async def _wait(self, name: str, ids: list[str], seconds: float, owner: str) -> list[dict[str, Any]]:
        return [self._state(name, key) for key in ids]

    async def _listen(
        self, name: str, ids: list[str], seconds: float, owner: str, text_seconds: float
    ) -> dict[str, Any]:
        self.text_seconds.append(text_seconds)
        return {"turns": await self._wait(name, ids, seconds, owner), "texts": ["text"]}

    def _state(self, name: str, key: str) -> dict[str, Any]:
        return {"submission_id": key, "incarnation": name, "state": "completed" if key in self.ended else "running"}

    async def _stop(
        self, name: str, ends: dict[str, float], deliberation: str, reason: str, owner: str
    ) -> list[dict[str, Any]]:
        self.told |= {(key, name, deliberation) for key in ends}
        known = self.has.get(name, [])
        return [{**self._state(name, key), "state": "cancelled" if key in known else "unknown"} for key in ends]

    async def _listing(self, name: str, owner: str) -> list[dict[str, Any]]:
        return [self._state(name, key) for key in self.has.get(name, [])]

    async def _forget(
        self, name: str, ends: dict[str, float], deliberation: str, reason: str, owner: str
    ) -> list[dict[str, Any]]:
        return await self._stop(name, ends, deliberation, reason, owner)


def sent(dispatch: Dispatch, *ids: str, repeated: bool = False) -> Coroutine[Any, Any, dict[str, Any]]:
    body = submitted(*(turn(key) for key in ids), deliberation="d", repeated=repeated)
    return dispatch.submit(body, b"as it came", "")


def wait_at(name: str, *ids: str, incarnation: str = "i", seconds: float = 0, **more: float) -> Await:
    body = {"runner": name, "incarnation": incarnation, "turns": ids, "wait_seconds": seconds, **more}
    return Await.model_validate(body)


def handle(key: str, name: str, deliberation: str = "", incarnation: str = "i") -> dict[str, str]:
    return {"submission_id": key, "runner": name, "incarnation": incarnation, "deliberation": deliberation}


def ends(*handles: dict[str, str]) -> End:
    return End.model_validate({"owner": "o", "turns": handles})


def end(deliberation: str = "", **runners: str) -> End:
    return ends(*(handle(key, name, deliberation) for key, name in runners.items()))
