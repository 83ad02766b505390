"""The model card: what a model learned from, how often it was right on messages it had not seen, its limits.

After Mitchell et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"domain": "领域 domain", "tier": "层级 tier", "urgency": "紧急程度 urgency"}


def model_card(facts: Mapping[str, Any]) -> str:
    """The card of a model with these facts, in Markdown, Chinese first."""
    lines = [
        "# 模型卡 · Model card",
        "",
        f"- 训练数据 Data: {facts['n_records']:,} 条 messages, SHA-256 `{facts['data_sha256'][:16]}…`",
        f"- 分类体系 Taxonomy: {facts['taxonomy_version']}",
        f"- 编码器 Encoder: {facts['encoder_words']:,} 词 words × {facts['encoder_width']}; "
        f"词典 lexicon: {facts['lexicon_terms']:,}",
        "- 方法 Method: 静态词向量、字符与词的散列 n 元、民生词典与渠道特征，正则化最小二乘线性头，向量缩放校准 · "
        "static word vectors, hashed n-grams, lexicon and source features; linear heads by regularised least "
        "squares, calibrated by vector scaling",
        "",
        "## 未见过的消息上的表现 · On messages it had not seen",
        "",
        f"{facts['n_folds']} 折留出，95% 自助法区间 · held-out folds with 95% bootstrap intervals. "
        "留出的消息与训练数据同源，实际渠道上的表现须用本地标注数据另行评估（`zhixu evaluate`）· the folds "
        "are of the training data's own kind; measure your own channels with `zhixu evaluate`.",
        "",
        "| 判断 Decision | 准确率 Accuracy | 宏 F1 Macro-F1 | n |",
        "|---|---|---|---|",
    ]
    for name, told in facts["held_out"].items():
        cells = (_interval(told[key]) for key in ("accuracy", "macro_f1"))
        lines.append(f"| {NAMES.get(name, name)} | {' | '.join(cells)} | {told['n']:,} |")
    lines += [
        "",
        "## 用途与局限 · Use and limits",
        "",
        "- 用于诉求的分类、派单建议与统计；置信度低的标为待人工复核，不作为拒绝服务的唯一依据 · for sorting "
        "messages, proposing dispatch and counting; doubtful ones are marked for review; never the only ground "
        "for refusing a service.",
        "- 紧急程度偏向召回：宁可多报，不可漏报 · urgency favours recall: a missed emergency costs more than a "
        "false one.",
        "- 反讽、方言、一条多诉求及训练数据少见的领域更易出错 · irony, dialect, several wishes in one message and "
        "domains rare in the data go wrong more often.",
        "",
    ]
    return "\n".join(lines)


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
