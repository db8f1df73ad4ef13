import functools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gated import Gated
from living_runners import Cluster
from model_cases.server import Server
from ray_app import App
from ray_head import Head
from scripted_runners import MARK, Runners
from stand_in import StandIn
from submission import new_id

from deliberation_ray.dispatch import Dispatch
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.model import Model
from deliberation_ray.turns import Turns


@pytest.fixture(autouse=True, scope="session")
def _read_authorities_once() -> Iterator[None]:
    """A runner reads them once, which takes 30 ms. The tests make a thousand models."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def stand_in(logs: Path) -> Iterator[StandIn]:
    stand_in = StandIn(logs / "stand-in.log")
    yield stand_in
    stand_in.end()


@pytest.fixture(scope="module")
def cases() -> Iterator[Server]:
    server = Server().start()
    yield server
    server.end()


@pytest.fixture
def name() -> str:
    """A model name of the test's own: its script and its calls are nobody else's."""
    return new_id()


@pytest.fixture
async def open_model() -> AsyncIterator[Callable[..., Model]]:
    """Makes models whose connections end with the test."""
    models: list[Model] = []

    def open_model(allow: tuple[str, ...] = (), keys: Any = None, **options: Any) -> Model:
        models.append(Model(allow, keys or {}, **options))
        return models[-1]

    yield open_model
    for model in models:
        await model.close()


@pytest.fixture
def model() -> Gated:
    return Gated()


@pytest.fixture
def turns(model: Gated) -> Turns:
    return Turns(model.answer, 3, Endpoints(3, 3))


@pytest.fixture
def runners() -> Runners:
    return Runners()


@pytest.fixture
def dispatch(runners: Runners) -> Dispatch:
    return Dispatch(runners, MARK)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    head = Head()
    yield head
    head.end()


@pytest.fixture(scope="session")
def app(head: Head, logs: Path) -> App:
    app = App(head, logs)
    app.deploy()
    return app
