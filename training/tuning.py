"""Tuning: the static encoder drawn towards pairs that mean the same.

Multiple negatives ranking (Henderson et al. 2017), with the given look-alikes as hard negatives, at several
widths at once (Matryoshka, Kusupati et al. 2022), by sentence-transformers on its `StaticEmbedding`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.encoder import StaticEncoder
from nlp.extras import require
from nlp.lexicon import load_lexicon
from nlp.preparing import Preparer
from nlp.records import Message
from nlp.segmenter import Segmenter
from nlp.taxonomy import Taxonomy
from training.pairs import Pair
from training.pretrain import quantised

EXTRA = "backbone"


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """How an encoder is tuned: `scale` multiplies cosines before the softmax."""

    epochs: int = 3
    batch: int = 512
    rate: float = 3e-3
    scale: float = 20.0
    seed: int = 7


def tune(
    encoder: StaticEncoder,
    groups: Sequence[Sequence[Pair]],
    config: TuningConfig,
    state: Path,
    progress: Callable[[int, int], None] | None = None,
) -> StaticEncoder:
    """The encoder tuned on groups of pairs; a batch holds pairs of one group, so its negatives are of one kind.

    `state` keeps a checkpoint an epoch: a cut run goes on there. `progress(done, of)` counts steps. Raises
    MissingExtraError without torch, sentence-transformers, datasets and accelerate.
    """
    library = require("sentence_transformers", EXTRA)
    losses = require("sentence_transformers.sentence_transformer.losses", EXTRA)
    tables = require("datasets", EXTRA)
    model = library.SentenceTransformer(modules=[static_embedding(encoder)], device="cpu")
    widths = [encoder.width, encoder.width // 2, encoder.width // 4]
    ranking = losses.MultipleNegativesRankingLoss(model, scale=config.scale)
    loss = losses.MatryoshkaLoss(model, ranking, matryoshka_dims=[width for width in widths if width])
    train = {
        str(number): tables.Dataset.from_dict(columns)
        for number, columns in enumerate(_columns(encoder, groups))
    }
    if not train:
        raise ValueError("no pair whose words the encoder knows; give more pairs")
    arguments = library.SentenceTransformerTrainingArguments(
        output_dir=str(state),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch,
        learning_rate=config.rate,
        warmup_steps=0.1,
        lr_scheduler_type="cosine",
        save_strategy="epoch",
        save_total_limit=1,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=config.seed,
        data_seed=config.seed,
        dataloader_drop_last=False,
    )
    trainer = library.SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=train, loss=loss, callbacks=step_reports(progress)
    )
    trainer.remove_callback(require("transformers", EXTRA).PrinterCallback)
    started = any(state.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=True if started else None)
    vectors = model[0].embedding.weight.detach().numpy().astype(np.float32)
    return quantised(list(encoder.vocabulary), vectors)


def static_embedding(encoder: StaticEncoder) -> Any:
    """The encoder as a sentence-transformers module; it reads texts as vocabulary numbers between blanks."""
    modules = require("sentence_transformers.sentence_transformer.modules", EXTRA)
    tokenizers = require("tokenizers", EXTRA)
    names = {str(number): number for number in range(len(encoder.vocabulary))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(names, unk_token="0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    scale = float(np.linalg.norm(encoder.vectors, axis=1).mean()) or 1.0
    return modules.StaticEmbedding(tokenizer, embedding_weights=encoder.vectors / np.float32(scale))


def spelled(encoder: StaticEncoder, tokenised: Sequence[Sequence[str]]) -> list[str]:
    """Texts already cut into words as `static_embedding` reads them."""
    tokens = encoder.look_up(tokenised)
    borders = np.searchsorted(tokens.texts[tokens.words], np.arange(len(tokenised) + 1))
    numbers = tokens.ids.astype(str)
    return [" ".join(numbers[a:b]) for a, b in itertools.pairwise(borders)]


def _columns(encoder: StaticEncoder, groups: Sequence[Sequence[Pair]]) -> list[dict[str, list[str]]]:
    prepare = Preparer(Taxonomy.load()).prepare
    segmenter = Segmenter(entry.term for entry in load_lexicon())

    def read(texts: Sequence[str]) -> list[str]:
        prepared = prepare([Message(text) for text in texts])
        return spelled(encoder, segmenter.cut_batch([one.text for one in prepared]))

    found = []
    for group in groups:
        for hard in (False, True):
            pairs = [pair for pair in group if bool(pair.hard) == hard]
            columns = {
                "anchor": read([pair.left for pair in pairs]),
                "positive": read([pair.right for pair in pairs]),
            }
            if hard:
                columns["negative"] = read([pair.hard for pair in pairs])
            rows = [row for row in zip(*columns.values(), strict=True) if all(row)]
            if rows:
                found.append(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))
    return found


def step_reports(report: Callable[[int, int], None] | None) -> list[Any]:
    """Callbacks for a Trainer of transformers or sentence-transformers that tell `report(done, of)` every step."""
    if report is None:
        return []
    progress = report
    library = require("transformers", EXTRA)

    class Report(library.TrainerCallback):  # type: ignore[misc, name-defined]
        def on_step_end(self, _arguments: Any, state: Any, _control: Any, **_rest: Any) -> None:
            progress(state.global_step, state.max_steps)

    return [Report()]
