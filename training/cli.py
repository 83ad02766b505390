"""`zhixu pretrain`, `zhixu tune` and `zhixu resources learn`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.ranking import UNTRAINED
from models.artifact import read_artifact, write_artifact
from models.encoder import StaticEncoder
from models.identifier import Identifier, encoder_files, load_encoder
from models.reference import resolve
from nlp.lexicon import load_lexicon
from nlp.tables import RowError, read_rows
from training.corpus import corpus_files, fingerprint, write_corpus
from training.pairs import pairs_of
from training.pretrain import PretrainConfig, learn_vectors, to_encoder
from training.ranker import MatchedRequest, learn_ranker
from training.tuning import TuningConfig, tune
from training.weights import parse_weights

errors = Console(stderr=True)


def pretrain(
    texts: Annotated[
        list[Path], typer.Argument(help="文本文件或文件夹，重复给出则加重 · text; twice counts twice")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="输出目录 · encoder directory")],
    without: Annotated[list[Path] | None, typer.Option(help="与之相同者不学 · text kept out")] = None,
    weigh: Annotated[
        list[str] | None, typer.Option(help="按文件名加权，如 laws*=0.3 · weight by file name")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--continue", help="在此模型之上续学 · model whose vectors are the start")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="遍数 · epochs")] = 4,
    width: Annotated[int, typer.Option(min=8, max=1024, help="向量宽度 · numbers a vector")] = 128,
    words: Annotated[int, typer.Option(min=100, help="词数 · words kept")] = 30_000,
    workers: Annotated[int, typer.Option(min=1, help="进程数 · workers")] = os.cpu_count() or 1,
    pairs: Annotated[
        list[Path] | None, typer.Option(help="学后以此成对文本微调 · then tune on pairs of texts")
    ] = None,
    tuning_epochs: Annotated[int, typer.Option(min=1, help="微调遍数 · epochs of tuning")] = 3,
) -> None:
    """预训练编码器 · Learn the static encoder from any text; a cut run goes on where it stopped."""
    files = corpus_files(texts)
    config = PretrainConfig(epochs=epochs, width=width, n_words=words)
    base = load_encoder(read_artifact(resolve(start))) if start else None
    state = out.with_name(f".{out.name}.pretraining")
    state.mkdir(parents=True, exist_ok=True)
    weights = parse_weights(weigh or (), "--weigh")
    mark = fingerprint([*files, *(without or ())], weights)
    corpus = state / f"corpus-{mark[:12]}.txt"
    with Progress(console=errors) as bar:
        if not corpus.exists():
            reading = bar.add_task("读取 reading", total=len(files))
            write_corpus(
                files,
                corpus,
                without or (),
                weights,
                workers=workers,
                progress=lambda done, of: bar.update(reading, completed=done, total=of),
            )
        learning = bar.add_task("学习 learning", total=epochs)
        learned = learn_vectors(
            corpus,
            state,
            config,
            base,
            workers,
            lambda done, of: bar.update(learning, completed=done, total=of),
        )
    encoder = to_encoder(learned, config, frozenset(entry.term for entry in load_lexicon()))
    facts: dict[str, Any] = {
        "config": asdict(config),
        "corpus": mark,
        "words": int(learned.counts.sum()),
    }
    if pairs:
        tuning = TuningConfig(epochs=tuning_epochs)
        encoder = _tuned(encoder, pairs, without or (), tuning, state / "tuning")
        facts["tuning"] = asdict(tuning)
    version = write_artifact(out, encoder_files(encoder), facts)
    shutil.rmtree(state)
    typer.echo(f"编码器 encoder {version} -> {out}  ({len(encoder.vocabulary)} words x {encoder.width})")


def tune_encoder(
    pairs: Annotated[
        list[Path], typer.Argument(help="成对文本、带标题的表或文本 · pairs, titled tables or text")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="输出目录 · encoder directory")],
    model: Annotated[str, typer.Option(help="取其编码器的模型 · model whose encoder is tuned")] = "default",
    without: Annotated[list[Path] | None, typer.Option(help="与之相同者不学 · text kept out")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="遍数 · epochs")] = 3,
) -> None:
    """微调编码器 · Draw the texts of pairs together in the encoder of a model."""
    state = out.with_name(f".{out.name}.tuning")
    encoder = load_encoder(read_artifact(resolve(model)))
    config = TuningConfig(epochs=epochs)
    tuned = _tuned(encoder, pairs, without or (), config, state)
    version = write_artifact(out, encoder_files(tuned), {"tuning": asdict(config)})
    shutil.rmtree(state)
    typer.echo(f"编码器 encoder {version} -> {out}  ({len(tuned.vocabulary)} words x {tuned.width})")


def _tuned(
    encoder: StaticEncoder,
    pairs: Sequence[Path],
    without: Sequence[Path],
    config: TuningConfig,
    state: Path,
) -> StaticEncoder:
    groups = pairs_of(pairs, without)
    with Progress(console=errors) as bar:
        task = bar.add_task(f"微调 tuning on {sum(map(len, groups)):,} pairs")
        return tune(
            encoder, groups, config, state, lambda done, of: bar.update(task, completed=done, total=of)
        )


def learn_to_rank(
    requests: Annotated[
        Path, typer.Option(help="已配对的请求：text, district, facts, best, acceptable · matched requests")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="输出 · ranker file")],
    resources: Annotated[Path | None, typer.Option(help="资源目录 · resources")] = None,
    model: Annotated[str, typer.Option(help="模型 · model reference")] = "default",
    leave_out: Annotated[
        str | None, typer.Option(help="不学 split 为此的行，如 test · leave out rows of this split")
    ] = None,
) -> None:
    """学习匹配排序 · Learn the ranker's weights from matched requests."""
    identifier = Identifier.load(model)
    catalogue, problems = Catalogue.load(identifier.taxonomy, resources)
    for problem in problems:
        errors.print(f"{resources}: {problem}", markup=False, highlight=False)
    matched = []
    for _, row in read_rows(requests):
        if isinstance(row, RowError):
            errors.print(f"{requests}: {row}", markup=False, highlight=False)
        elif leave_out is None or row.get("split") != leave_out:
            matched.append(MatchedRequest.from_row(row))
    ranker = learn_ranker(Matcher(identifier, catalogue, UNTRAINED), identifier, matched)
    out.write_text(ranker.to_json(), "utf-8")
    typer.echo(f"排序 ranker -> {out}  ({len(matched)} requests)")
