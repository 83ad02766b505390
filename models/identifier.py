"""The identifier: messages in, needs out, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, pack_arrays, read_artifact
from models.backbone import FILES as BACKBONE_FILES
from models.backbone import Backbone
from models.decisions import Decider, Decisions, Judgement
from models.encoder import StaticEncoder
from models.explanation import Attribution, attribute, attribute_topics, top_words
from models.features import ColumnMap, FeatureBatch, FeatureConfig, FeatureExtractor
from models.heads import DOMAIN, SECONDARY, TIER, URGENCY, Head, LinearHeads, Reading, probabilities
from models.records import Evidence, Explanation, Identification, Need
from models.reference import resolve
from models.topics import TopicHead
from nlp.lexicon import LexiconEntry, parse_lexicon
from nlp.preparing import Preparer
from nlp.records import Message, PreparedMessage
from nlp.segmenter import Segmenter
from nlp.taxonomy import Taxonomy

_EVIDENCE_WORDS = 5
_MOST_NEEDS = 4


def load_encoder(artifact: Artifact) -> StaticEncoder:
    """The encoder an artifact carries."""
    arrays = artifact.arrays("encoder.safetensors")
    return StaticEncoder(artifact.text("vocabulary.txt").splitlines(), arrays["codes"], arrays["scales"])


def encoder_files(encoder: StaticEncoder) -> dict[str, bytes]:
    """The files of an artifact that hold an encoder."""
    return {
        "encoder.safetensors": pack_arrays({"codes": encoder.codes, "scales": encoder.scales}),
        "vocabulary.txt": "".join(f"{word}\n" for word in encoder.vocabulary).encode(),
    }


@dataclass(frozen=True)
class Knowledge:
    """What a model knows beside its weights: taxonomy, lexicon and encoder, with their files' bytes."""

    taxonomy: Taxonomy
    lexicon: tuple[LexiconEntry, ...]
    encoder: StaticEncoder
    files: Mapping[str, bytes] = field(repr=False)
    backbone: Backbone | None = None

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Knowledge:
        """The knowledge an artifact carries."""
        names = ("taxonomy.yaml", "lexicon.tsv", "encoder.safetensors", "vocabulary.txt")
        return cls(
            Taxonomy.from_bytes(artifact.files["taxonomy.yaml"]),
            parse_lexicon(artifact.text("lexicon.tsv")),
            load_encoder(artifact),
            {name: artifact.files[name] for name in (*names, *BACKBONE_FILES) if name in artifact.files},
            Backbone(artifact.files) if BACKBONE_FILES[0] in artifact.files else None,
        )

    @classmethod
    def assemble(
        cls,
        taxonomy: bytes,
        lexicon: bytes,
        encoder: StaticEncoder,
        backbone: Mapping[str, bytes] | None = None,
    ) -> Knowledge:
        """Knowledge from the bytes of a taxonomy and a lexicon file, an encoder and a backbone's files."""
        files = {
            "taxonomy.yaml": taxonomy,
            "lexicon.tsv": lexicon,
            **encoder_files(encoder),
            **(backbone or {}),
        }
        return cls(
            Taxonomy.from_bytes(taxonomy),
            parse_lexicon(lexicon.decode("utf-8")),
            encoder,
            files,
            Backbone(backbone) if backbone else None,
        )

    def extractor(self, config: FeatureConfig | None = None) -> FeatureExtractor:
        """A feature extractor over this knowledge."""
        return FeatureExtractor(
            self.encoder,
            Segmenter(entry.term for entry in self.lexicon),
            self.lexicon,
            self.taxonomy.source_ids,
            config,
            self.backbone,
        )


class Identifier:
    """Finds the needs in messages.

    >>> Identifier.load("default").identify([Message("楼道灯坏了半个月没人修")])[0].domain  # doctest: +SKIP
    """

    def __init__(
        self, knowledge: Knowledge, extractor: FeatureExtractor, decider: Decider, version: str
    ) -> None:
        self.taxonomy = knowledge.taxonomy
        self.encoder = knowledge.encoder
        self.version = version
        self.knowledge = knowledge
        self._preparer = Preparer(knowledge.taxonomy)
        self._extractor = extractor
        self.decider = decider
        self.heads = decider.heads
        self.projected = (
            None
            if knowledge.backbone
            else self.encoder.project(self.heads.dense_weights[: self.encoder.width])
        )

    @classmethod
    def load(cls, reference: str | Path | None = None) -> Identifier:
        """The identifier a model reference names, verified.

        Raises FileNotFoundError or ArtifactError.
        """
        artifact = read_artifact(resolve(reference))
        knowledge = Knowledge.from_artifact(artifact)
        settings = artifact.json("heads.json")
        arrays = artifact.arrays("heads.safetensors")
        config = FeatureConfig(**settings["features"])
        columns = np.full(1 << config.bucket_bits, -1, np.int32)
        columns[arrays["buckets"]] = np.arange(len(arrays["buckets"]), dtype=np.int32)
        heads = LinearHeads(
            tuple(Head(**{**head, "labels": tuple(head["labels"])}) for head in settings["heads"]),
            ColumnMap(columns, arrays["idf"]),
            arrays["sparse_weights"].astype(np.float32),
            arrays["dense_weights"],
            arrays["bias"],
        )
        decider = Decider(
            heads, _topics(settings.get("topics"), arrays), settings["no_need_shifts"], knowledge.taxonomy
        )
        return cls(knowledge, knowledge.extractor(config), decider, artifact.version)

    @property
    def vector_width(self) -> int:
        """Numbers in the vector that opens a text's dense features."""
        return self._extractor.width

    @property
    def lexicon_block(self) -> slice:
        """Where the lexicon's part of a text's dense features lies."""
        return self._extractor.lexicon_block

    @property
    def bucket_bits(self) -> int:
        """How many bits the hashed features have."""
        return self._extractor.config.bucket_bits

    def features(self, prepared: Sequence[PreparedMessage]) -> FeatureBatch:
        """The features of prepared messages, for who searches by them."""
        return self._extractor.extract(prepared)

    def judge(self, batch: FeatureBatch) -> Judgement:
        """What texts that are known to hold a need are likely to be about, from their features."""
        return self.decider.judge(self.heads.read(batch))

    def domain_probabilities(self, prepared: Sequence[PreparedMessage]) -> NDArray[np.float32]:
        """Calibrated probabilities (n_messages, n_domains) over `domain_labels`."""
        if not prepared:
            return np.zeros((0, len(self.domain_labels)), np.float32)
        reading = self.heads.read(self._extractor.extract(prepared))
        scores = self.heads.scores(reading)
        sources = [message.source for message in prepared]
        return probabilities(self.decider.domain_scores(reading, scores, sources), exclusive=True)

    @property
    def domain_labels(self) -> tuple[str, ...]:
        """The domains this model can answer, in the order of its probabilities."""
        head = self.heads.head(DOMAIN)
        assert head is not None
        return head.labels

    def prepare(self, messages: Sequence[Message]) -> list[PreparedMessage]:
        """The messages cleaned, masked and split."""
        return self._preparer.prepare(messages)

    def identify(self, messages: Sequence[Message]) -> list[Identification]:
        """One identification per message, in order."""
        return self.identify_prepared(self.prepare(messages))

    def identify_needs(self, messages: Sequence[Message]) -> list[Identification]:
        """As `identify`, for messages known to ask for something: each gets its likeliest need."""
        found = self.identify(messages)
        bare = [n for n, one in enumerate(found) if not one.needs]
        if bare:
            judged = self.judge(self.features([found[n].prepared for n in bare]))
            for row, n in enumerate(bare):
                number = int(judged.domains[row].argmax())
                domain = judged.domain_labels[number]
                tier, sure = None, 1.0
                if judged.tier_labels:
                    tier = judged.tier_labels[int(judged.tiers[row].argmax())]
                    sure = float(judged.tiers[row].max())
                need = Need(
                    domain, tier, float(judged.domains[row, number]), found[n].prepared.text, (), sure
                )
                found[n] = replace(found[n], needs=(need,))
        return found

    def identify_prepared(self, prepared: Sequence[PreparedMessage]) -> list[Identification]:
        """One identification per prepared message, in order."""
        if not prepared:
            return []
        reading = self.heads.read(self._extractor.extract(prepared))
        decisions = self._decide(prepared, reading)
        empty = np.fromiter((not message.text for message in prepared), bool, len(prepared))
        decisions = decisions.with_nothing_said(empty, self.taxonomy)
        primary = self._explain(reading, DOMAIN, decisions.domain)
        found = self._secondary_needs(prepared, reading, decisions)
        return [
            self._assemble(message, row, decisions, primary[row], found.get(row, []))
            for row, message in enumerate(prepared)
        ]

    def _decide(self, prepared: Sequence[PreparedMessage], reading: Reading) -> Decisions:
        decisions = self.decider.decide(reading, [message.source for message in prepared])
        alone = [
            (row, replace(message, text=segment.text))
            for row, message in enumerate(prepared)
            if len(message.segments) > 1
            for segment in message.segments
        ]
        if not alone or self.heads.head(URGENCY) is None:
            return decisions
        owners = np.asarray([row for row, _ in alone], np.int64)
        sentences = self.heads.read(self._extractor.extract([sentence for _, sentence in alone]))
        reached = self.decider.urgency_reached(self.heads.scores(sentences))
        return self.decider.heed_sentences(decisions, owners, reached)

    def explain(self, messages: Sequence[Message]) -> list[tuple[Explanation, ...]]:
        """Why each message got its domain, tier and urgency: an explanation a decision, none for an empty text."""
        prepared = self.prepare(messages)
        if not prepared:
            return []
        reading = self.heads.read(self._extractor.extract(prepared))
        sources = [message.source for message in prepared]
        decisions = self._decide(prepared, reading)
        told: list[list[Explanation]] = [[] for _ in prepared]
        chosen: tuple[tuple[str, Sequence[str | None]], ...] = (
            (DOMAIN, [decisions.domain_labels[number] for number in decisions.domain]),
            (TIER, decisions.tier),
            (URGENCY, decisions.urgency),
        )
        for name, labels in chosen:
            head = self.heads.head(name)
            if head is None:
                continue
            numbers = np.asarray([head.labels.index(label or "") for label in labels], np.int64)
            found = self._attribution(head, reading, numbers, sources)
            borders = np.searchsorted(reading.batch.tokens.texts, np.arange(len(prepared) + 1)).tolist()
            for row, message in enumerate(prepared):
                needless = (
                    name == TIER and labels[row] is not None and chosen[0][1][row] == self.taxonomy.none_id
                )
                if not message.text or needless:
                    continue
                place = slice(borders[row], borders[row + 1])
                starts = (reading.batch.word_starts[place] - reading.batch.text_starts[row]).tolist()
                ends = [*starts[1:], len(message.text)]
                shares = found.words[place].tolist()
                words = tuple(
                    Evidence(message.text[a:b], share)
                    for a, b, share in zip(starts, ends, shares, strict=True)
                )
                base = float(found.base[row])
                score = base + sum(word.weight for word in words)
                told[row].append(Explanation(name, head.labels[numbers[row]], score, base, words))
        return [tuple(one) for one in told]

    def _attribution(
        self, head: Head, reading: Reading, labels: NDArray[np.int64], sources: Sequence[str | None]
    ) -> Attribution:
        found = attribute(self.heads, head, self.projected, self.lexicon_block, reading, labels)
        if head.name != DOMAIN:
            return found
        base, words = found.base, found.words
        if self.decider.topics is not None:
            more = attribute_topics(
                self.decider.topics,
                None if self.knowledge.backbone else self.encoder,
                self.lexicon_block,
                reading,
                labels,
                len(head.labels),
            )
            base, words = base + more.base, words + more.words
        shifts = self.decider.prior_shifts(sources, head.labels)
        centred = shifts - shifts.mean(axis=1, keepdims=True)
        return Attribution(words, base + centred[np.arange(len(labels)), labels])

    def _explain(self, reading: Reading, name: str, labels: NDArray[np.int64]) -> list[_Told]:
        head = self.heads.head(name)
        assert head is not None
        batch = reading.batch
        shares = attribute(self.heads, head, self.projected, self.lexicon_block, reading, labels).words
        borders = np.searchsorted(batch.tokens.texts, np.arange(batch.n_texts + 1))
        evidence = top_words(reading, shares, _EVIDENCE_WORDS)
        return [
            _Told(
                batch.word_starts[a:b] - start,
                shares[a:b],
                tuple(Evidence(word, round(share, 4)) for word, share in words),
            )
            for a, b, start, words in zip(borders[:-1], borders[1:], batch.text_starts, evidence, strict=True)
        ]

    def _secondary_needs(
        self, prepared: Sequence[PreparedMessage], reading: Reading, decisions: Decisions
    ) -> dict[int, list[Need]]:
        head = self.heads.head(SECONDARY)
        needs: dict[int, list[Need]] = {}
        if head is None:
            return needs
        scores = np.where(decisions.secondary, decisions.secondary_confidence, 0.0)
        for _ in range(_MOST_NEEDS - 1):
            labels = scores.argmax(axis=1)
            kept = scores[np.arange(len(scores)), labels] > 0.0
            if not kept.any():
                break
            rows, labels = np.flatnonzero(kept), labels[kept]
            told = self._explain(reading.take(kept), SECONDARY, labels)
            texts = [one.best_segment(prepared[row]) for one, row in zip(told, rows.tolist(), strict=True)]
            tiers = self._tiers(
                [replace(prepared[row], text=text) for row, text in zip(rows.tolist(), texts, strict=True)]
            )
            for k, (row, label) in enumerate(zip(rows.tolist(), labels.tolist(), strict=True)):
                confidence = float(scores[row, label])
                need = Need(head.labels[label], tiers[k], confidence, texts[k], told[k].evidence)
                needs.setdefault(row, []).append(need)
            scores[rows, labels] = 0.0
        return needs

    def _tiers(self, prepared: Sequence[PreparedMessage]) -> list[str | None]:
        head = self.heads.head(TIER)
        if head is None:
            return [None] * len(prepared)
        scores = self.heads.scores(self.heads.read(self._extractor.extract(prepared)))
        return [head.labels[number] for number in head.probabilities(scores).argmax(axis=1)]

    def _assemble(
        self, message: PreparedMessage, row: int, decisions: Decisions, told: _Told, more: list[Need]
    ) -> Identification:
        domain = decisions.domain_labels[decisions.domain[row]]
        confidence = float(decisions.confidence[row])
        evidence = told.evidence
        needs: tuple[Need, ...] = ()
        tier = None
        if domain != self.taxonomy.none_id:
            tier = decisions.tier[row]
            text = told.best_segment(message) if more else message.text
            sure = float(decisions.tier_confidence[row])
            needs = (Need(domain, tier, confidence, text, evidence, sure), *more)
        return Identification(
            prepared=message,
            domain=domain,
            confidence=confidence,
            tier=tier,
            urgency=decisions.urgency[row],
            review=bool(decisions.review_reasons(row)),
            needs=needs,
            evidence=evidence,
            model=self.version,
            taxonomy=self.taxonomy.version,
            review_reasons=decisions.review_reasons(row),
            pressing=float(decisions.reached[row, -2]) if decisions.reached.shape[1] > 1 else 0.0,
        )


def _topics(settings: Mapping[str, Any] | None, arrays: Mapping[str, NDArray[Any]]) -> TopicHead | None:
    if settings is None:
        return None
    return TopicHead(
        tuple(settings["labels"]),
        arrays["topic_owners"].astype(np.int64),
        arrays["topic_dense_weights"],
        arrays["landmarks"].astype(np.float32),
        arrays["landmark_weights"].astype(np.float32),
        arrays["topic_bias"],
        settings["gamma"],
        settings["weight"],
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """Where the words of one text start in it, their shares of one label, and the words that spoke for it most."""

    starts: NDArray[np.int64]
    shares: NDArray[np.float64]
    evidence: tuple[Evidence, ...]

    def best_segment(self, message: PreparedMessage) -> str:
        segments = message.segments
        if len(segments) < 2 or not len(self.starts):
            return message.text
        owner = np.searchsorted([segment.start for segment in segments], self.starts, side="right") - 1
        sums = np.bincount(np.maximum(owner, 0), self.shares, len(segments))
        return segments[int(sums.argmax())].text.strip()
