"""A transformer backbone served by onnxruntime: texts to unit vectors, without torch.

The exported graph holds pooling and normalisation; int8 or not is the file's affair. Texts are put into
batches of like length, so that little is padded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.extras import require

Floats = NDArray[np.float32]

GRAPH, TOKENIZER, SETTINGS = "backbone.onnx", "tokenizer.json", "backbone.json"
FILES = (GRAPH, TOKENIZER, SETTINGS)
_BATCH = 32
EXTRA = "onnx"


class Backbone:
    """An exported sentence encoder; `width` numbers a vector, texts are cut after `longest` tokens."""

    def __init__(self, files: Mapping[str, bytes], threads: int = 0) -> None:
        """`files` holds the graph, the tokenizer and the settings; 0 threads leaves the number to onnxruntime.

        Raises MissingExtraError without onnxruntime and tokenizers.
        """
        runtime = require("onnxruntime", EXTRA)
        tokenizers = require("tokenizers", EXTRA)
        settings: dict[str, Any] = json.loads(files[SETTINGS])
        self.width = int(settings["width"])
        self.longest = int(settings["longest"])
        self._pad = int(settings["pad_id"])
        self._tokenizer = tokenizers.Tokenizer.from_str(files[TOKENIZER].decode("utf-8"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.longest)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(
            files[GRAPH], options, providers=runtime.get_available_providers()
        )

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors (n_texts, width); zeros for an empty text."""
        vectors = np.zeros((len(texts), self.width), np.float32)
        encoded = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        order = sorted((n for n, text in enumerate(texts) if text.strip()), key=lambda n: len(encoded[n]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            length = max(2, len(encoded[rows[-1]]))
            ids = np.full((len(rows), length), self._pad, np.int64)
            mask = np.zeros((len(rows), length), np.int64)
            for place, row in enumerate(rows):
                ids[place, : len(encoded[row])] = encoded[row]
                mask[place, : len(encoded[row])] = 1
            vectors[rows] = self._session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors
