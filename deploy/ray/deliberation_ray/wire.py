"""What callers send: the request bodies, validated where they arrive."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, model_validator

from deliberation_ray.extra_body import check_extra_body
from deliberation_ray.model_url import check_model_url

# The longest deliberation takes a day, and callers add margins. Without a bound, a turn could be kept for ever.
LONGEST_SECONDS = 7 * 86_400.0
LONGEST_WAIT_SECONDS = 30.0
# The shortest time between two answers that have only text.
SHORTEST_TEXT_SECONDS = 0.1
# The run time of a turn that the runner never saw: that of the longest deliberation.
UNSEEN_RUN_SECONDS = 86_400.0

# The most turns in one await, stop or forget.
MOST_TURNS = 1024

# The bytes that the messages of one turn, and of all, may render to. A worker's requests stay far below both.
PROMPT_BYTES = 4 * 1024 * 1024
PROMPTS_BYTES = 256 * 1024 * 1024

Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
SubmissionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
RunnerName = Annotated[str, StringConstraints(pattern=r"^(runner/[0-9a-f]{1,64}/[0-9]{1,4})?$")]
Incarnation = Annotated[str, StringConstraints(max_length=64)]
FinalState = Literal["completed", "failed", "cancelled"]
State = Literal["queued", "running", "completed", "failed", "cancelled", "unknown"]


ModelUrl = Annotated[str, StringConstraints(max_length=4096), AfterValidator(check_model_url)]


class Body(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class Part(Body):
    """Either text, or the name of a common text, so that a text for all agents is sent only once."""

    text: str | None = None
    ref: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Part":
        if (self.text is None) == (self.ref is None):
            raise ValueError("exactly one of text and ref")
        return self


class Message(Body):
    role: Literal["system", "user", "assistant"]
    parts: Annotated[list[Part], Field(min_length=1, max_length=256)]


class ResponseFormat(Body):
    model_config = ConfigDict(extra="allow")

    type: Literal["json_schema", "json_object", "text"]


class Parameters(Body):
    """Passed to the model as given. What could change the protocol of the call (`n`, `stream`) is refused."""

    model_config = ConfigDict(extra="forbid")

    temperature: float | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    response_format: ResponseFormat | None = None
    extra_body: Annotated[dict[str, Any], AfterValidator(check_extra_body)] | None = None


class TurnSpec(Body):
    submission_id: SubmissionId
    agent_id: Annotated[str, StringConstraints(max_length=1000)] = ""
    # These say what the turn is for. Watchers of its text read them; the runner doesn't.
    phase: Annotated[str, StringConstraints(max_length=64)] = ""
    round: Annotated[int, Field(ge=0)] = 0
    attempt: Annotated[int, Field(ge=0)] = 0
    vllm_url: ModelUrl
    model: Name
    messages: Annotated[list[Message], Field(min_length=1, max_length=64)]
    parameters: Parameters = Parameters()
    run_seconds: Annotated[float, Field(gt=0, le=LONGEST_SECONDS)]
    keep_seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS)]
    _prompt_bytes: int = PrivateAttr(0)

    @property
    def prompt_bytes(self) -> int:
        """The size of the rendered prompt in UTF-8."""
        return self._prompt_bytes


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))


class Submit(Body):
    owner: Name
    deliberation: Name
    labels: Annotated[dict[str, str], Field(max_length=32)] = Field(default_factory=dict)
    common: Annotated[dict[str, str], Field(max_length=256)] = Field(default_factory=dict)
    turns: Annotated[list[TurnSpec], Field(min_length=1, max_length=256)]
    # An earlier submit of these turns had no answer. Another gateway may have sent it to any runner.
    repeated: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "Submit":
        ids = [turn.submission_id for turn in self.turns]
        if len(set(ids)) != len(ids):
            raise ValueError("turns: a submission_id occurs twice")
        for index, turn in enumerate(self.turns):
            for message in turn.messages:
                unknown = [part.ref for part in message.parts if part.ref is not None and part.ref not in self.common]
                if unknown:
                    raise ValueError(f"turns[{index}].messages: unknown ref {unknown[0][:100]!r}")
        self._measure()
        return self

    def _measure(self) -> None:
        """Bounds what the prompts render to: a short body can name a long common text thousands of times."""
        common = {name: _bytes(text) for name, text in self.common.items()}
        for index, turn in enumerate(self.turns):
            turn._prompt_bytes = sum(
                common[part.ref] if part.ref is not None else _bytes(part.text or "")
                for message in turn.messages
                for part in message.parts
            )
            if turn._prompt_bytes > PROMPT_BYTES:
                raise ValueError(f"turns[{index}].messages: render to more than {PROMPT_BYTES} bytes")
        if sum(turn._prompt_bytes for turn in self.turns) > PROMPTS_BYTES:
            raise ValueError(f"turns: their messages render to more than {PROMPTS_BYTES} bytes together")


class Await(Body):
    """The turns of one runner that a caller waits for. A runner that doesn't answer holds up only its own turns."""

    runner: RunnerName
    incarnation: Incarnation = ""
    turns: Annotated[list[SubmissionId], Field(min_length=1, max_length=MOST_TURNS)]
    # Turns of another owner are unknown to the caller.
    owner: Annotated[str, StringConstraints(max_length=1000)] = ""
    wait_seconds: Annotated[float, Field(ge=0)] = 15.0
    # How often the caller wants the text of turns while they run; 0 means not at all.
    text_seconds: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _named_runner(self) -> "Await":
        if not self.runner:
            raise ValueError("runner: cannot be empty")
        return self


class Handle(Body):
    """Names a turn and its runner, as the submit answered. An empty runner means that the answer was lost."""

    submission_id: SubmissionId
    deliberation: Annotated[str, StringConstraints(max_length=1000)] = ""
    runner: RunnerName = ""
    incarnation: Incarnation = ""
    run_seconds: Annotated[float, Field(gt=0, le=LONGEST_SECONDS)] = UNSEEN_RUN_SECONDS


class End(Body):
    """The body of stop and of forget. The turns may be those of several deliberations."""

    owner: Name
    reason: Annotated[str, StringConstraints(max_length=2048)] = ""
    turns: Annotated[list[Handle], Field(min_length=1, max_length=MOST_TURNS)]

    @model_validator(mode="after")
    def _routable(self) -> "End":
        for index, handle in enumerate(self.turns):
            if not handle.runner and not handle.deliberation:
                raise ValueError(f"turns[{index}].runner: empty, and the turn names no deliberation")
        return self


class Probe(Body):
    vllm_url: ModelUrl
    model: Name


def describe(errors: list[Any]) -> str:
    """Describes each error by its field, never by its value, which may be a prompt."""
    lines = []
    for error in errors[:20]:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
        message = error["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {message}" if path else message)
    return "; ".join(lines)
