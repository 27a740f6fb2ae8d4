"""The benchmark's own arithmetic: what it computes from moments, samples, graphs and manifests. Nothing here is timed."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.bench import capacity, floor, plots, report, simulate, soak, stream, table, tables
from tests.bench.articles import SAMPLES, endless, load, of_length
from tests.bench.lengths import micro_batches
from tests.bench.rehearse import Seen, compare, moments_of
from worker.enrich.job import Job

SHIPPED = simulate.Rule.read(capacity.SCALED_OBJECT)
ROUND = {
    "naive": {"articles_per_second": 2.0, "resident_bytes": 1e8},
    "naive_one_thread": {"articles_per_second": 4.0, "resident_bytes": 1e8},
    "naive_per_core": {"articles_per_second": 8.0},
    "fast": {
        "articles_per_second": 40.0,
        "bare_articles_per_second": 44.0,
        "words_per_second_per_core": 5000.0,
        "floor_words_per_second_per_core": 8000.0,
        "float_attention_floor_words_per_second_per_core": 7000.0,
    },
}


@pytest.mark.parametrize("batch", [1, 32])
def test_throughput_is_the_slope_whether_articles_come_singly_or_by_the_batch(batch: int) -> None:
    """Eight articles a second, after a start that does not count."""
    moments = [20.0 + number // batch * batch / 8 for number in range(960)]
    assert stream.steady(moments) == pytest.approx(8.0, rel=0.02)


def test_khabar_is_held_to_the_faster_naive_worker() -> None:
    """Ratios are taken within a round, and the keys that others read are there."""
    found = table.summary([ROUND, ROUND], ["fast"])
    assert found["naive_articles_per_second"] == 4.0
    assert found["fast"]["ratios"]["to_naive"] == (10.0, 10.0, 10.0)
    assert found["fast"]["ratios"]["to_bare"][1] == pytest.approx(0.909, abs=1e-3)
    assert found["fast"].keys() >= {
        *("articles_per_second", "bare_articles_per_second", "words_per_second_per_core", "floor_words_per_second_per_core")
    }


def test_the_floor_counts_the_products_of_the_graph(tmp_path: Path) -> None:
    """Pieces meet one matrix and an attention, words another; scales and norms are no products."""
    matrices = [numpy_helper.from_array(np.ones(shape, np.int8), str(shape)) for shape in ((64, 64), (64, 256))]
    others = [numpy_helper.from_array(np.ones(64, np.int8), "zero"), numpy_helper.from_array(np.ones((64, 9), np.float32), "head")]
    attention = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["y"], domain="com.microsoft", num_heads=4)
    lower, upper = (helper.make_node("MatMulInteger", [at, str(shape)], [f"{at}.y"]) for at, shape in (("x", (64, 64)), ("w", (64, 256))))
    words = helper.make_node("MatMul", ["means", "y"], ["w"])
    value = helper.make_tensor_value_info("q", TensorProto.FLOAT, [1])
    graph = helper.make_graph([lower, attention, words, upper], "g", [value], [], [*matrices, *others])
    onnx.save(helper.make_model(graph), str(tmp_path / "m.onnx"))
    pieces, after = floor.products(tmp_path / "m.onnx")
    assert (pieces.layers, pieces.heads, pieces.attended) == (1, 4, 64)
    assert pieces.multiplications(window=0) == 64 * 64
    assert pieces.multiplications(window=10) == 64 * 64 + 2 * 10 * 64
    assert (after.layers, after.multiplications(window=10)) == (0, 64 * 256)


def test_a_leak_shows_as_a_slope() -> None:
    """A megabyte a thousand articles after a start that rises for other reasons."""
    samples = [soak.Sample(float(n), n * 100, int(5e8 + n * 1e5 - (2e8 if n < 20 else 0)), []) for n in range(1, 201)]
    assert soak.slope_per_unit(samples) == pytest.approx(1e7, rel=1e-6)
    assert soak.summary([samples])["slope_share_per_10000"] == pytest.approx(0.0196, abs=5e-4)


def test_articles_are_as_long_and_as_many_as_asked() -> None:
    """From the samples, which are always there; ids differ."""
    source = load(30, folder=SAMPLES)
    assert len({article["id"] for article in source}) == 30
    assert [len(article["body"]) for article in of_length(source, characters=5_000, count=3)] == [5_000] * 3
    made = endless(source, characters=300)
    words = [set(next(made)["body"].split()) for _ in range(200)]
    known = {word for article in source for word in article["body"].split()}
    assert len(set.union(*words) - known) > 100


def test_micro_batches_are_those_of_the_pool() -> None:
    """At most so many articles, and no further one above the pool's bytes; a larger one goes alone."""
    jobs = [Job(b"x" * size, None, [], "t", 0, 0, 0) for size in (10, 10, 10, 60_000, 60_000, 100_000, 10)]
    assert [len(batch) for batch in micro_batches(jobs, articles=2)] == [2, 2, 1, 1, 1]
    assert [len(batch) for batch in micro_batches(jobs, articles=8)] == [4, 1, 1, 1]


def test_nothing_is_lost_in_the_simulation() -> None:
    """What came is done or waiting, and the delay of an overload is what arithmetic says."""
    arrivals = np.full((100, 4), 0.5)
    arrivals[50:] = 0.0
    rule = dataclasses.replace(SHIPPED, most=1)
    course = simulate.run(arrivals, step=1.0, rule=rule, worker=simulate.Worker([1.0], start=0.0, rebalance=0.0), replicas=1)
    assert course.lag[49] == pytest.approx(50.0)  # two a second came, one was done
    assert course.lag[-1] == pytest.approx(0.0, abs=1e-6)
    assert course.delays[49] == pytest.approx(50.0, abs=1.0)
    assert course.delay(0.5) == pytest.approx(25.0, abs=2.0)


def test_nobody_works_during_a_rebalance() -> None:
    """The second member comes at once, and both stand still for five seconds."""
    arrivals = np.full((60, 2), 1.0)
    rule = simulate.Rule(5.0, 1, 2, simulate.Policy(0.0, 1, 0, 5), simulate.Policy(1e9, 1, 0, 5), sync=5.0)
    course = simulate.run(arrivals, step=1.0, rule=rule, worker=simulate.Worker([1.0], start=10.0, rebalance=5.0), replicas=1)
    joined = int(np.argmax(course.members == 2))
    assert rule.sync + 10.0 <= (joined + 1) * course.step <= 3 * rule.sync + 10.0
    assert np.diff(course.lag)[joined : joined + 3] == pytest.approx(2.0)
    assert course.replicas.max() == 2


def test_the_autoscaler_obeys_the_manifest() -> None:
    """Never above the partitions, two pods a minute up; down one in two minutes, and only ten quiet minutes later."""
    scaler = simulate.Autoscaler(SHIPPED, replicas=1)
    up = [scaler.look(at, 1e6) for at in np.arange(15.0, 300.0, 15.0)]
    assert up[0] == 3  # the window of the last 30 s holds nothing calmer
    assert max(up) == SHIPPED.most == 6
    assert all(later - earlier <= 2 for earlier, later in zip(up, up[4:], strict=False))
    down = [scaler.look(at, 0.0) for at in np.arange(300.0, 2400.0, 15.0)]
    assert down[: int(570 / 15)] == [6] * int(570 / 15)
    assert all(earlier - later <= 1 for earlier, later in zip(down, down[7:], strict=False))
    assert down[-1] == SHIPPED.least


def test_a_week_has_the_articles_it_should_and_its_peaks() -> None:
    """The mean is what was asked for; nights are quiet; keys go to every partition."""
    total = capacity.week(1_000_000)
    assert total.sum() == pytest.approx(7_000_000, rel=0.005)
    night = total.reshape(7, 24, -1).sum(axis=2)
    assert night[0, 3] < 0.6 * night[0].max()
    assert capacity.spread(total[:1000], 6).sum(axis=0).min() > 0.9 * total[:1000].sum() / 6


def test_a_plan_holds_its_objective_or_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days of a small load; ten times the load takes more machines and ten times the bytes."""
    monkeypatch.setattr(capacity, "DAYS", 3)
    cost = capacity.Cost(0.1, 5_000, 9_000, 5e8, 7.0)
    small, large = (capacity.plan(count, cost, SHIPPED) for count in (200_000, 2_000_000))
    assert small["p99"] <= capacity.OBJECTIVE_SECONDS
    assert large["most_replicas"] > small["most_replicas"]
    assert large["partitions"] >= large["most_replicas"]
    assert large["broker_bytes_in_a_day"] == 10 * small["broker_bytes_in_a_day"]


def test_a_rehearsal_that_went_as_simulated_differs_by_little() -> None:
    """Lag made by the same arithmetic stands where the simulation puts it."""
    rule = simulate.Rule(1e9, 1, 1, SHIPPED.up, SHIPPED.down)
    worker = simulate.Worker([2.0], start=5.0, rebalance=1.0)
    moments = moments_of(2.0, seconds=20.0)
    seen: list[Seen] = []
    waiting = 0.0
    for second in range(150):
        sent = sum(moment < second + 1 for moment in moments)
        waiting = max(sent - (seen[-1].sent if seen else 0) + waiting - 2.0, 0.0)
        seen.append(Seen(float(second), sent, round(sent - waiting), 1))
    assert compare(seen, worker, rule, moments)["mean_difference_of_peak"] < 0.05


def test_a_report_fills_only_what_was_measured() -> None:
    """Every measurement has a place in a document, and what is missing stays as it is."""
    found = {name for file in report.DOCUMENTS for name in re.findall(r"<!-- figures: (\w+) -->", file.read_text(encoding="utf-8"))}
    assert found == tables.TABLES.keys() == report.SOURCES.keys()
    assert plots.PLOTS.keys() == plots.CAPTIONS.keys() <= tables.TABLES.keys()
    text = "a\n<!-- figures: start -->\nold\n<!-- end -->\n<!-- figures: soak -->\nkept\n<!-- end -->\n"
    filled = report.filled(text, {"start": {"median": {"first_article": 6.25}, "rounds": 3, "models": "fast"}})
    assert "| first article | 6.2 |" in filled
    assert "old" not in filled
    assert "kept" in filled


def test_pictures_are_drawn_from_results(tmp_path: Path) -> None:
    """One of each sort that needs no long run."""
    latency = {"rows": [{"share": 0.5, "articles": 9, "p50": 0.2, "p99": 0.7}, {"share": 1.1, "articles": 0, "p50": 0.0, "p99": 0.0}]}
    plots.PLOTS["latency"](latency, tmp_path / "latency.png")
    rows = [{"characters": n, "nanoseconds_per_character": 50.0, "stage_shares": {"entities": 0.9, "summary": 0.1}} for n in (200, 2_000)]
    plots.PLOTS["lengths"](json.loads(json.dumps({"rows": rows})), tmp_path / "lengths.png")
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in tmp_path.iterdir())
