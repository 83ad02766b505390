"""The shapes of requests and answers over HTTP."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from matching.catalogue import ResourceShape

EXAMPLE = {
    "id": "42",
    "source": "hotline",
    "district": "南桥区",
    "text": "我家老人八十多了一个人住 停水两天了没人管",
}

Label = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Id = Annotated[str, Field(min_length=1, max_length=100)]


class Asked(BaseModel):
    """A request body; a field it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class MessageBody(Asked):
    """One message as a platform sends it."""

    id: str = Field(default="", max_length=200, description="平台自己的编号 · the platform's own id")
    text: str = Field(default="", description="正文 · the message")
    title: str | None = Field(default=None, max_length=500)
    source: str | None = Field(default=None, max_length=64, description="来源 · one of the twelve sources")
    district: str | None = Field(default=None, max_length=100)
    received_at: datetime | None = None
    resident: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="居民的代号，只存其密钥散列 · an opaque reference to the resident; only a keyed hash is kept",
    )
    facts: dict[str, bool | float | str] = Field(
        default_factory=dict,
        max_length=50,
        description="已知的申请条件 · facts for eligibility, such as age",
    )


class BatchBody(Asked):
    """Several messages."""

    messages: list[MessageBody] = Field(min_length=1)


class FeedbackBody(Asked):
    """What a person says a message is about; give `prediction_id`, or the `message_id` the platform sent."""

    prediction_id: Id | None = None
    message_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    domain: Label
    secondary: list[Label] = Field(default=[], max_length=10)
    tier: Label | None = None
    urgency: Label | None = None
    annotator: Name | None = Field(
        default=None, description="标注人代号，缺省为密钥持有者 · who says so; the key's owner by default"
    )


class OutcomeBody(Asked):
    """What became of a match."""

    outcome: Literal["accepted", "declined", "met", "unmet"]
    actor: Name | None = Field(
        default=None, description="经办人代号 · who says so; the key's owner by default"
    )


class ActivationBody(Asked):
    """Which model is to answer from now on."""

    model: str = Field(
        min_length=1, max_length=200, description="模型名、别名或 default · name, alias or default"
    )
    reason: str = Field(default="", max_length=1000)


class ResourcesBody(Asked):
    """Resources to put and ids to remove, in one step."""

    put: list[ResourceShape] = Field(default=[], max_length=10_000)
    remove: list[Id] = Field(default=[], max_length=10_000)


class NeedAnswer(BaseModel):
    """One need found in a message."""

    domain: str
    tier: str | None
    confidence: float = Field(ge=0, le=1)
    text: str
    evidence: list[str]


class ResponseAnswer(BaseModel):
    """How the need is to be answered, and within how many seconds."""

    handling: str
    strategy: str
    deadline_seconds: int
    calendar: str


class MatchAnswer(BaseModel):
    """A resource proposed; outcomes are told under `match_id`."""

    match_id: str
    resource_id: str
    name: str
    score: float = Field(ge=0, le=1)
    reasons: list[str]
    ask: list[str]


class ClassifyAnswer(BaseModel):
    """What was found in a message; `no_fit` and `matches` are absent where no match was asked for."""

    id: str
    domain: str
    confidence: float = Field(ge=0, le=1)
    tier: str | None
    urgency: str | None
    review: bool
    needs: list[NeedAnswer]
    model: str
    taxonomy: str
    prediction_id: str
    response: ResponseAnswer | None
    no_fit: bool | None = None
    matches: list[MatchAnswer] | None = None


class BatchAnswer(BaseModel):
    """Answers in the order of the messages."""

    results: list[ClassifyAnswer]


class MatchingAnswer(BaseModel):
    """Resources for one request; `no_fit` where nothing fits."""

    id: str
    no_fit: bool
    matches: list[MatchAnswer]
    prediction_id: str


class LabelAnswer(BaseModel):
    """The label is durable under this id."""

    label_id: str


class OutcomeAnswer(BaseModel):
    """The outcome is durable under this id."""

    outcome_id: str


class ResourceList(BaseModel):
    """Resources in the order of their ids; `next` is the cursor of the following page."""

    version: str
    resources: list[ResourceShape]
    next: str | None


class CatalogueAnswer(BaseModel):
    """The catalogue's version from now on."""

    version: str


class BulkAnswer(CatalogueAnswer):
    """How many were put and removed."""

    put: int
    removed: int


class ModelEntry(BaseModel):
    """A model that may be activated by its name."""

    name: str
    version: str
    facts: dict[str, Any]


class ActivationEntry(BaseModel):
    """One line of the activation log."""

    id: int
    activated_at: datetime
    subject: str
    version: str
    previous: str | None
    actor: str
    reason: str


class ModelList(BaseModel):
    """The model that answers, those that could, and the newest activations."""

    current: str
    reference: str
    taxonomy: str
    catalogue: str
    available: list[ModelEntry]
    activations: list[ActivationEntry]
    next: str | None


class ActivationAnswer(BaseModel):
    """The model that answers now, the one before, and how many golden messages it answered as expected."""

    model: str
    previous: str
    taxonomy: str
    golden_right: int
    golden_total: int


class Interval(BaseModel):
    """A share in 0–1 with its 95% interval."""

    value: float
    low: float
    high: float


class FigureAnswer(BaseModel):
    """How often one kind of answer was right, for the cases whose `dimension` is `key`.

    `audited` is the estimate from drawn samples, corrected for how they were drawn; `told` the plain share among
    the cases feedback speaks of, which nobody drew.
    """

    measure: str
    dimension: str
    key: str
    audited: Interval | None
    n_audited: int
    told: Interval | None
    n_told: int


class AccuracyAnswer(BaseModel):
    """Figures of a period of local days; what nobody judged is left out."""

    since: date | None
    until: date | None
    figures: list[FigureAnswer]


class NeedCount(BaseModel):
    """How many messages of a kind came in a week, named by its Monday."""

    domain: str
    tier: str | None
    district: str | None
    source: str | None
    week: date
    n: int


class NeedMap(BaseModel):
    """Counts in the order of week, domain, tier, district and source; `next` is the cursor of the following page."""

    counts: list[NeedCount]
    next: str | None


class JobAnswer(BaseModel):
    """A job: how far it is, in rows; `result` is where its answers are once it is done."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created_at: datetime
    finished_at: datetime | None
    n_rows: int | None
    n_done: int
    n_bad: int
    problem: str | None
    result: str | None


class JobList(BaseModel):
    """Jobs, newest first; `next` is the cursor of the following page."""

    jobs: list[JobAnswer]
    next: str | None


class Health(BaseModel):
    """Alive."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Ready, with which model and catalogue."""

    status: Literal["ready"]
    model: str
    catalogue: str
