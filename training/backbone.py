"""A BERT-like backbone: loaded by hub id or local path, fine-tuned on a labelled batch, exported to ONNX.

Loading is that of transformers: a hub id (with `HF_ENDPOINT` for a mirror), or a folder with config, weights
and tokenizer, such as ModelScope leaves behind. Fine-tuning learns domain, tier and urgency together
(multi-task learning, Caruana 1997); the heads that answer are then learned on the tuned vectors, as on static ones.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.backbone import FILES, GRAPH, SETTINGS, TOKENIZER
from nlp.extras import require
from nlp.preparing import Preparer
from nlp.records import LabelledMessage
from nlp.taxonomy import Taxonomy
from training.tuning import step_reports

EXTRA = "backbone"
_IGNORED = -100


class BackboneError(ValueError):
    """A backbone that cannot be loaded or exported, with the remedy."""


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    """How a backbone is fine-tuned and exported.

    `epochs` 0 leaves it as it is; training stops early after `patience` epochs without a better validation loss.
    `pooling` is `mean` or `cls`; `int8` quantises the weights.
    """

    epochs: float = 3.0
    batch: int = 16
    rate: float = 3e-5
    longest: int = 256
    patience: int = 2
    validation_share: float = 0.1
    pooling: str = "mean"
    int8: bool = True
    seed: int = 7


def prepare_backbone(
    reference: str,
    records: Sequence[LabelledMessage],
    taxonomy: Taxonomy,
    config: BackboneConfig,
    state: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, bytes]:
    """The artifact files of a backbone, fine-tuned on `records` unless `config.epochs` is 0.

    `state` keeps a checkpoint an epoch: a cut run goes on there. `progress(done, of)` counts steps. Raises
    BackboneError when `reference` is neither a model folder nor reachable, MissingExtraError without torch
    and transformers.
    """
    torch = require("torch", EXTRA)
    torch.manual_seed(config.seed)
    tokenizer, encoder = load_backbone(reference)
    if config.epochs > 0:
        _fine_tune(tokenizer, encoder, records, taxonomy, config, state, progress)
    return export(tokenizer, encoder, config)


def load_backbone(reference: str) -> tuple[Any, Any]:
    """Tokenizer and encoder of a hub id or a local folder."""
    transformers = require("transformers", EXTRA)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(reference, use_fast=True)
        encoder = transformers.AutoModel.from_pretrained(reference, attn_implementation="eager")
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0][:200]
        raise BackboneError(
            f"backbone {reference!r} cannot be loaded ({first}); give a folder with config.json, weights and "
            "tokenizer, or set HF_ENDPOINT to a mirror you can reach"
        ) from None
    if not getattr(tokenizer, "is_fast", False):
        raise BackboneError(f"backbone {reference!r} has no fast tokenizer; give one with tokenizer.json")
    return tokenizer, encoder


def export(tokenizer: Any, encoder: Any, config: BackboneConfig) -> dict[str, bytes]:
    """The graph (pooled, of unit length), tokenizer and settings of a backbone, checked against torch."""
    torch = require("torch", EXTRA)
    require("onnxscript", EXTRA)
    pooled = _pooled(torch, encoder, config.pooling).eval()
    ids = torch.randint(5, encoder.config.vocab_size, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    batch = torch.export.Dim("batch", min=1, max=4096)
    length = torch.export.Dim("length", min=2, max=_longest(encoder, config))
    shapes = {"ids": {0: batch, 1: length}, "mask": {0: batch, 1: length}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / GRAPH
        with torch.no_grad():
            torch.onnx.export(
                pooled,
                (ids, mask),
                str(path),
                input_names=["ids", "mask"],
                output_names=["vectors"],
                dynamo=True,
                dynamic_shapes=shapes,
                external_data=False,
                verbose=False,
            )
            expected = pooled(ids, mask).numpy()
        given = _run(path, ids.numpy(), mask.numpy())
        if not np.allclose(given, expected, atol=1e-4):
            raise BackboneError("the exported graph differs from the model; report the model's kind")
        if config.int8:
            path = _quantised(path)
        graph = path.read_bytes()
    settings = {
        "width": int(encoder.config.hidden_size),
        "longest": _longest(encoder, config),
        "pad_id": int(tokenizer.pad_token_id or 0),
        "pooling": config.pooling,
        "int8": config.int8,
    }
    written = tokenizer.backend_tokenizer.to_str().encode()
    files = {GRAPH: graph, TOKENIZER: written, SETTINGS: json.dumps(settings, sort_keys=True).encode()}
    return {name: files[name] for name in FILES}


def _longest(encoder: Any, config: BackboneConfig) -> int:
    return min(config.longest, int(getattr(encoder.config, "max_position_embeddings", config.longest)))


def _run(path: Path, ids: Any, mask: Any) -> Any:
    runtime = require("onnxruntime", "onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": ids, "mask": mask})[0]


def _quantised(path: Path) -> Path:
    """Weights as int8: with 7 bits on x86 without VNNI, where 8 would overflow (onnxruntime's advice)."""
    quantization = require("onnxruntime.quantization", "onnx")
    target = path.with_name("int8.onnx")
    quantization.quantize_dynamic(
        str(path),
        str(target),
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        reduce_range=_narrow_int8(),
    )
    return target


def _narrow_int8() -> bool:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return True


def _pooled(torch: Any, encoder: Any, pooling: str) -> Any:
    class Pooled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, ids: Any, mask: Any) -> Any:
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            if pooling == "cls":
                vectors = hidden[:, 0]
            else:
                kept = mask.unsqueeze(-1).to(hidden.dtype)
                vectors = (hidden * kept).sum(1) / kept.sum(1).clamp(min=1)
            return torch.nn.functional.normalize(vectors, dim=1)

    return Pooled()


def _fine_tune(
    tokenizer: Any,
    encoder: Any,
    records: Sequence[LabelledMessage],
    taxonomy: Taxonomy,
    config: BackboneConfig,
    state: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    torch = require("torch", EXTRA)
    transformers = require("transformers", EXTRA)
    labels = {
        "domain": taxonomy.domain_ids,
        "tier": taxonomy.tier_ids,
        "urgency": taxonomy.urgency_ids,
    }
    labels = {name: known for name, known in labels.items() if known}
    rows = _rows(tokenizer, records, taxonomy, labels, _longest(encoder, config))
    held = np.random.default_rng(config.seed).random(len(rows)) < config.validation_share
    learned, validated = (
        [r for r, h in zip(rows, held, strict=True) if not h],
        [r for r, h in zip(rows, held, strict=True) if h],
    )
    model = _with_heads(torch, encoder, config, {name: len(known) for name, known in labels.items()})
    stopping = bool(validated)
    arguments = transformers.TrainingArguments(
        output_dir=str(state),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch,
        per_device_eval_batch_size=4 * config.batch,
        learning_rate=config.rate,
        warmup_steps=0.1,
        weight_decay=0.01,
        eval_strategy="epoch" if stopping else "no",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=stopping,
        metric_for_best_model="eval_loss" if stopping else None,
        greater_is_better=False if stopping else None,
        label_names=list(labels),
        remove_unused_columns=False,
        prediction_loss_only=True,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
        data_seed=config.seed,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    callbacks = [transformers.EarlyStoppingCallback(config.patience)] if stopping else []
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=learned,
        eval_dataset=validated or None,
        data_collator=_collator(torch, int(tokenizer.pad_token_id or 0)),
        callbacks=[*callbacks, *step_reports(progress)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=True if any(state.glob("checkpoint-*")) else None)
    encoder.to("cpu").eval()


def _rows(
    tokenizer: Any,
    records: Sequence[LabelledMessage],
    taxonomy: Taxonomy,
    labels: dict[str, tuple[str, ...]],
    longest: int,
) -> list[dict[str, Any]]:
    prepared = Preparer(taxonomy).prepare([record.message for record in records])
    encoded = tokenizer([one.text for one in prepared], truncation=True, max_length=longest)["input_ids"]
    rows = []
    for record, ids in zip(records, encoded, strict=True):
        told = {"domain": record.domain, "tier": record.tier, "urgency": record.urgency}
        numbers = {
            name: known.index(told[name]) if told[name] in known else _IGNORED
            for name, known in labels.items()
        }
        rows.append({"ids": ids, **numbers})
    return rows


def _with_heads(torch: Any, encoder: Any, config: BackboneConfig, sizes: dict[str, int]) -> Any:
    class WithHeads(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.pooled = _pooled(torch, encoder, config.pooling)
            width = encoder.config.hidden_size
            self.heads = torch.nn.ModuleDict({n: torch.nn.Linear(width, size) for n, size in sizes.items()})
            self.dropout = torch.nn.Dropout(0.1)
            self.sharpness = torch.nn.Parameter(torch.tensor(10.0))

        def forward(self, ids: Any, mask: Any, **truth: Any) -> dict[str, Any]:
            vectors = self.dropout(self.pooled(ids, mask)) * self.sharpness
            loss = vectors.sum() * 0
            for name, head in self.heads.items():
                known = truth[name] != _IGNORED
                if known.any():
                    scores = head(vectors[known])
                    loss = loss + torch.nn.functional.cross_entropy(scores, truth[name][known])
            return {"loss": loss}

    return WithHeads()


def _collator(torch: Any, pad: int) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        longest = max(2, *(len(row["ids"]) for row in rows))
        ids = torch.full((len(rows), longest), pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row["ids"])] = torch.tensor(row["ids"])
            mask[place, : len(row["ids"])] = 1
        others = {n: torch.tensor([row[n] for row in rows]) for n in rows[0] if n != "ids"}
        return {"ids": ids, "mask": mask, **others}

    return collate
