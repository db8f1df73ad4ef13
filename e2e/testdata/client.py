"""Starts a deliberation as a Python program does, and prints its result: dataclasses whose unset fields are null."""

import asyncio
import dataclasses
import json
import os
import sys

from temporalio.client import Client


@dataclasses.dataclass
class Agent:
    agent_id: str
    role: str | None = None
    model: str | None = None
    prompt_template: str | None = None


@dataclasses.dataclass
class Constraints:
    story_id: str
    plan_id: str
    timeout_seconds: float | None = None
    max_retries: int | None = None
    metadata: dict[str, str] | None = None


@dataclasses.dataclass
class Request:
    task_id: str
    task_description: str
    role: str
    constraints: Constraints
    agents: list[Agent]
    vllm_url: str
    vllm_model: str
    protocol: dict[str, object] | None = None


async def main(address: str, task_queue: str, task_id: str, url: str, model: str, form: str) -> None:
    request = Request(
        task_id,
        "Add rate limiting to the login API",
        "DEV",
        Constraints("S-7", "P-3", timeout_seconds=180.0),
        [Agent("agent-1")],
        url,
        model,
    )
    sent = request if form == "dataclass" else json.dumps(dataclasses.asdict(request)).encode()
    client = await Client.connect(address)
    result = await client.execute_workflow("Deliberation", sent, id=task_id, task_queue=task_queue)
    print(json.dumps(result), flush=True)
    os._exit(0)  # the client's threads sometimes crash an interpreter that ends


asyncio.run(main(*sys.argv[1:]))
