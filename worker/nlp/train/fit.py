"""Fine-tune a network on windows of labelled words: AdamW, warm-up, linear decay, checkpoints that can be resumed."""

import json
import math
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worker.nlp.pieces import Pieces
from worker.nlp.train.data import Example, Spelled, Window, batches, groups, pack, spell
from worker.nlp.train.kept import write_whole
from worker.nlp.train.network import Dropout, Network
from worker.nlp.train.scoring import collate, dev_scores


@dataclass(frozen=True)
class Settings:
    """How a run is fitted.

    Args:
        epochs: passes over the text.
        encoder_rate: peak learning rate of the layers.
        word_rate: of the piece embeddings.
        head_rate: of the head.
        packed: share of the text shown as neighbouring sentences.
        budget: pieces of a batch.
        dropout: rate.
        seed: of everything random.
        imitation: weight of the teacher's part of the loss, 0 to 1.
    """

    epochs: float
    encoder_rate: float
    word_rate: float = 1e-4
    head_rate: float = 1e-3
    packed: float = 0.5
    budget: int = 1536
    dropout: float = 0.1
    warmup: float = 0.08
    seed: int = 1
    imitation: float = 0.0


def gold_loss(scores: Tensor, table: Tensor) -> Tensor:
    """Mean −log of the probability of the labels that the corpus allows."""
    return (torch.logsumexp(scores, 1) - torch.logsumexp(scores.masked_fill(~table, -1e9), 1)).mean()


def imitation_loss(scores: Tensor, taught: Tensor) -> Tensor:
    """Mean KL divergence from the teacher's probabilities."""
    wanted = torch.log_softmax(taught, 1)
    return (wanted.exp() * (wanted - torch.log_softmax(scores, 1))).sum(1).mean()


class RowAdam:
    """Adam for the rows of a table that a batch touched (as ``torch.optim.SparseAdam``): the others cost nothing.

    Args:
        table: (rows, width) weights, changed in place.
    """

    def __init__(self, table: Tensor, *, betas: tuple[float, float] = (0.9, 0.98), epsilon: float = 1e-6) -> None:
        """Start with no moments."""
        self.betas, self.epsilon = betas, epsilon
        self.state = {"first": torch.zeros_like(table), "second": torch.zeros_like(table), "steps": torch.zeros(())}

    def step(self, table: Tensor, rows: Tensor, gradient: Tensor, rate: float) -> None:
        """Move ``table[rows]`` against the gradient."""
        state, (slow, slower) = self.state, self.betas
        state["steps"] += 1
        count = float(state["steps"])
        first = state["first"][rows].lerp_(gradient, 1 - slow)
        second = state["second"][rows].mul_(slower).addcmul_(gradient, gradient, value=1 - slower)
        state["first"][rows], state["second"][rows] = first, second
        change = (first / (1 - slow**count)) / ((second / (1 - slower**count)).sqrt_() + self.epsilon)
        table[rows] -= rate * change


def optimiser(network: Network, settings: Settings) -> torch.optim.AdamW:
    """AdamW for all but the piece embeddings (:class:`RowAdam`); biases and norms of the layers do not decay."""
    rates: dict[float, list[Tensor]] = {}
    plain: list[Tensor] = []
    for name, weight in network.named_parameters():
        if name.startswith("head"):
            rates.setdefault(settings.head_rate, []).append(weight)
        elif name == "words":
            weight.requires_grad = False
        elif weight.ndim == 1:
            plain.append(weight)
        else:
            rates.setdefault(settings.encoder_rate, []).append(weight)
    parts: list[dict[str, Any]] = [{"params": part, "lr": rate, "weight_decay": 0.01} for rate, part in rates.items()]
    parts.append({"params": plain, "lr": settings.encoder_rate, "weight_decay": 0.0})
    for part in parts:
        part["peak"] = part["lr"]
    return torch.optim.AdamW(parts, betas=(0.9, 0.98), eps=1e-6, fused=True)


def share(step: int, steps: int, warmup: float) -> float:
    """The share of the peak rate at a step: linear up, linear down to 0."""
    rise = max(1.0, warmup * steps)
    return min((step + 1) / rise, max(0.0, (steps - step) / max(1.0, steps - rise)))


def fit(  # noqa: PLR0913 - a run has this many parts
    network: Network,
    corpora: Sequence[Sequence[Example]],
    pieces: Pieces,
    *,
    settings: Settings,
    out: Path,
    dev: dict[str, list[Example]],
    taught: Sequence[NDArray[np.float16]] | None = None,
) -> Network:
    """Fit in place, logging to ``out/log.jsonl`` and keeping ``out/last.pt`` every half epoch; resumes from it.

    Args:
        network: where to start.
        corpora: lists of sentences in running order.
        pieces: the cut vocabulary.
        settings: rates and sizes.
        out: folder for the log and the checkpoints; ``out/final.pt`` is the result.
        dev: parts scored after each epoch.
        taught: a teacher's scores of every sentence of the corpora in order; imitated where given.
    """
    out.mkdir(parents=True, exist_ok=True)
    numbers: list[range] = []
    sentences: list[Spelled] = []
    for corpus in corpora:
        numbers.append(range(len(sentences), len(sentences) + len(corpus)))
        sentences.extend(spell(example, pieces) for example in corpus)
    if taught is not None:
        sentences = [replace(sentence, taught=scores) for sentence, scores in zip(sentences, taught, strict=True)]
    plan = [epoch_batches(sentences, numbers, settings, epoch) for epoch in range(math.ceil(settings.epochs))]
    steps = int(sum(map(len, plan[: int(settings.epochs)])) + (settings.epochs % 1) * len(plan[-1]))
    order = [(epoch, batch) for epoch, part in enumerate(plan) for batch in part][:steps]
    optim, words = optimiser(network, settings), RowAdam(network.words)
    done = _resume(out / "last.pt", network, optim, words)
    log(out, {"settings": asdict(settings), "steps": steps, "resumed_at": done, "sentences": len(sentences)})
    dropout = Dropout(settings.dropout, seed=settings.seed)
    started, seen, losses = time.monotonic(), 0, []
    half = max(1, len(plan[0]) // 2)
    for step in range(done, steps):
        batch = collate(order[step][1])
        rate = share(step, steps, settings.warmup)
        for part in optim.param_groups:
            part["lr"] = part["peak"] * rate
        rows, ids = torch.unique(batch.ids, return_inverse=True)
        table = network.words[rows].requires_grad_()
        scores = network(ids, batch.lengths, batch.firsts, dropout=dropout, table=table)
        loss = gold_loss(scores, batch.allowed)
        if batch.taught is not None:
            loss = (1 - settings.imitation) * loss + settings.imitation * imitation_loss(scores, batch.taught)
        optim.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([*network.parameters(), table], 1.0)
        optim.step()
        if table.grad is not None:
            words.step(network.words, rows, table.grad, settings.word_rate * rate)
        seen += int(batch.lengths.sum())
        losses.append(float(loss.detach()))
        if (step + 1) % 50 == 0:
            speed = round(seen / (time.monotonic() - started))
            log(out, {"step": step + 1, "loss": round(sum(losses) / len(losses), 4), "pieces_per_second": speed})
            losses = []
        if (step + 1) % half == 0 and step + 1 < steps:
            _save(out / "last.pt", network, optim, words, step + 1)
        if step + 1 == steps or order[step + 1][0] != order[step][0]:
            log(out, {"epoch": order[step][0] + 1, "dev": dev_scores(network, dev, pieces)})
    write_whole(out / "final.pt", partial(torch.save, network.state_dict()))
    log(out, {"dev_packed": dev_scores(network, dev, pieces, document=16)})
    return network


def epoch_batches(sentences: Sequence[Any], numbers: Sequence[Sequence[int]], settings: Settings, epoch: int) -> list[list[Window]]:
    """The batches of one epoch, the same for the same seed."""
    source = random.Random(settings.seed * 1000 + epoch)  # noqa: S311 - no secret
    windows = list(pack(sentences, groups(numbers, packed=settings.packed, source=source)))
    return batches(windows, budget=settings.budget, source=source)


def log(out: Path, entry: dict[str, Any]) -> None:
    """Append one line to the run's log and print it."""
    line = json.dumps({"time": time.strftime("%H:%M:%S"), **entry}, ensure_ascii=False)
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)  # noqa: T201 - the run's progress is this command's output


def _save(path: Path, network: Network, optim: torch.optim.Optimizer, words: RowAdam, step: int) -> None:
    """Write a checkpoint."""
    content = {"network": network.state_dict(), "optimiser": optim.state_dict(), "words": words.state, "step": step}
    write_whole(path, partial(torch.save, content))


def _resume(path: Path, network: Network, optim: torch.optim.Optimizer, words: RowAdam) -> int:
    """Load a checkpoint where there is one; the step to go on from."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optim.load_state_dict(state["optimiser"])
    words.state = state["words"]
    return int(state["step"])
