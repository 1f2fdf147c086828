"""Figures of a run: what is drawn, when it is left out, and that odd input never breaks it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import plot_case as case
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from evosim import plots
from evosim.errors import UserError
from evosim.plots import (
    assays,
    bands,
    groups,
    ledger,
    measures,
    scores,
    style,
    trajectories,
)
from evosim.plots.layout import even_pages


@pytest.fixture
def ax() -> Axes:
    return style.new_figure(4, 3).subplots()


def texts(figure: Figure) -> str:
    """Return all text of a figure: titles, axis labels, ticks, legends, notes."""
    found = [t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))]
    return " ".join(" ".join(found).split())


def drawn(run: SimpleNamespace) -> dict[str, list[Figure]]:
    """Draw everything of a run and lay it out, which also looks up every glyph."""
    with style.figure_style():
        pages = {name: draw(run) for name, draw in plots._FIGURES.items()}
        for figure in (f for figures in pages.values() for f in figures):
            figure.draw_without_rendering()
    return {name: figures for name, figures in pages.items() if figures}


@pytest.fixture(scope="module")
def coin_run() -> SimpleNamespace:
    return case.run_of(case.coin(), replicates=5)


@pytest.fixture(scope="module")
def pages(coin_run: SimpleNamespace) -> dict[str, list[Figure]]:
    """Every figure of a run with grids, laid out."""
    return drawn(coin_run)


@pytest.fixture(scope="module")
def _plain_run() -> SimpleNamespace:
    return case.run_of(case.plain(), replicates=6)


@pytest.fixture
def plain_run(_plain_run: SimpleNamespace) -> SimpleNamespace:
    """A run without grids, the test's own to change."""
    return SimpleNamespace(**vars(_plain_run))


# --- intervals ---------------------------------------------------------------------------------


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    # 2000 samples of 30 exponential values, each with one interval of nominal coverage .95.
    sample = np.random.default_rng(5).exponential(1.0, (30, 2000))
    _, low, high = bands.mean_interval(sample)
    covered = float(((low <= 1.0) & (high >= 1.0)).mean())
    # BCa on skewed data of this size falls short by a few per cent; +-2 SE does worse at the
    # lower end. z = 4 of the binomial error around a band that allows for that.
    error = 4 * np.sqrt(0.05 * 0.95 / 2000)
    assert 0.92 - error < covered < 0.95 + error


def test_interval_follows_the_skew_and_stays_in_the_data() -> None:
    values = np.r_[np.zeros(18), 1.0, 1.0][:, None]
    mean, low, high = bands.mean_interval(values)
    assert mean[0] == pytest.approx(0.1)
    assert 0.0 <= low[0] < mean[0] < high[0] <= 1.0
    assert high[0] - mean[0] > mean[0] - low[0]


def test_interval_is_deterministic_and_translates() -> None:
    values = np.random.default_rng(0).random((12, 3))
    again = bands.mean_interval(values)
    np.testing.assert_array_equal(bands.mean_interval(values), again)
    np.testing.assert_allclose(bands.mean_interval(values + 5), np.array(again) + 5, rtol=1e-12)


def test_interval_without_enough_replicates_is_missing() -> None:
    values = np.random.default_rng(0).random((bands.FEWEST - 1, 2))
    mean, low, high = bands.mean_interval(values)
    assert np.isfinite(mean).all()
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_interval_leaves_missing_values_out_by_column() -> None:
    values = np.random.default_rng(0).random((12, 3))
    values[3:, 1] = np.nan
    values[:, 2] = np.nan
    mean, low, _ = bands.mean_interval(values)
    assert mean[1] == pytest.approx(values[:3, 1].mean())
    assert np.isnan(low[1])
    assert np.isnan(mean[2])
    whole = bands.mean_interval(values[:, :1])
    np.testing.assert_allclose([mean[0], low[0]], [whole[0][0], whole[1][0]])


def test_interval_of_a_constant_is_the_constant() -> None:
    for replicates in (6, 700):
        mean, low, high = bands.mean_interval(np.full((replicates, 2), 0.3))
        np.testing.assert_allclose([mean, low, high], 0.3, rtol=1e-12)


def test_many_replicates_agree_with_resampling() -> None:
    values = np.random.default_rng(1).normal(0, 1, (bands._MOST_RESAMPLED + 50, 4))
    many = bands.mean_interval(values)
    present = np.isfinite(values)
    low, high = bands._bca(values, present, values.mean(axis=0), 0.025, 0)
    spread = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.abs(np.array([low, high]) - many[1:]).max() < 0.35 * spread.min()


# --- looks and texts ---------------------------------------------------------------------------


def grey(color: style.Color) -> float:
    red, green, blue = to_rgb(color)
    return 0.299 * red + 0.587 * green + 0.114 * blue


@pytest.mark.parametrize("count", [2, 5, 9])
def test_grid_palette_is_ordered_in_grey(count: int) -> None:
    for is_control in (False, True):
        shades = [grey(look.color) for look in style.sequence(count, grey=is_control)]
        assert all(b - a > 0.03 for a, b in pairwise(shades))
        assert shades[-1] < 0.9


def test_plain_arms_differ_in_dash_and_marker() -> None:
    looks = [style.category(i) for i in range(8)]
    assert len({look.dash for look in looks}) == 8
    assert len({look.marker for look in looks}) == 8
    controls = [style.control(i) for i in range(3)]
    assert all(len(set(to_rgb(c.color))) == 1 and c.dash and c.hollow for c in controls)


def test_wrap_breaks_and_balances() -> None:
    assert style.wrap("share of episodes reaching C", 24) == "share of episodes\nreaching C"
    assert max(map(len, style.wrap("x" * 95, 30).split("\n"))) <= 30


def test_clean_leaves_no_formula_and_no_missing_glyph() -> None:
    assert style.clean("cost $a and $b") == r"cost \$a and \$b"
    assert style.clean("ρ ≥ ½ − x") == "ρ ≥ ½ − x"
    assert style.clean("机器 \U0001f9ec\t") == "?? ??"


# --- groups ------------------------------------------------------------------------------------


def test_groups_order_grids_and_mark_controls() -> None:
    cells = case.coin().arms()
    found = groups.arm_groups(cells, [c.label for c in cells])
    assert [g.title for g in found] == ["", "rho", "v"]
    assert list(found[1].controls) == ["no bias cue"]
    assert [*groups.lines(found[1])[0]] == [*found[1].looks, "no bias cue"]
    apart = groups.arm_groups(cells, [c.label for c in cells], beside=False)
    assert not any(g.controls for g in apart)
    no_base = groups.arm_groups(cells, [c.label for c in cells if c.label != "base"])
    assert [g.title for g in no_base] == ["rho", "v"]
    assert list(found[0].looks) == ["base", "no bias cue"]
    assert found[0].looks["no bias cue"] == style.control(0)
    assert found[1].key == "coin left frequency"
    assert list(found[1].places.values()) == case.RHO
    assert found[1].names["rho [frequency=0.05]"] == "0.05"


def test_two_keys_are_split_by_the_shorter() -> None:
    grid = {"cues.coin.visible": [0.2, 1.0], "context.coin left.frequency": [0.0, 0.1, 0.2]}
    cells = case.coin(arm=[{"name": "both", "grid": grid}], effect=None, claim=[]).arms()
    found = groups.arm_groups(cells, [c.label for c in cells])
    assert [g.title for g in found[1:]] == ["both, coin visible = 0.2", "both, coin visible = 1"]
    assert all(len(g.looks) == 3 and g.key == "coin left frequency" for g in found[1:])


def test_words_take_places_in_order() -> None:
    grid = {"mind.choice": ["softmax", "greedy"]}
    cells = case.coin(arm=[{"name": "choice", "grid": grid}], effect=None, claim=[]).arms()
    found = groups.arm_groups(cells, [c.label for c in cells])[1]
    assert found.ticks == {0.0: "softmax", 1.0: "greedy"}
    assert list(found.places.values()) == [0.0, 1.0]


def test_no_panel_has_more_lines_than_can_be_told_apart() -> None:
    arms = [{"name": f"arm {i}", "set": {"population.agents": 10 + i}} for i in range(20)]
    grid = {"name": "n", "grid": {"population.agents": list(range(50, 80))}}
    scenario = case.coin(arm=[*arms, grid], effect=None, claim=[])
    cells = scenario.arms()
    for group in groups.arm_groups(cells, [c.label for c in cells]):
        looks, left_out = groups.lines(group)
        assert len(looks) <= groups.MOST_LINES + 1
        assert left_out == len(group.looks) - len(looks)
    looks, left_out = groups.lines(group)
    assert left_out == 21
    assert next(iter(looks)) == "n [agents=50]"
    assert list(looks)[-1] == "n [agents=79]"


def test_pages_are_cut_evenly() -> None:
    assert [range(20)[s] for s in even_pages(6, 5)] == [range(3), range(3, 6)]
    assert even_pages(0, 5) == []
    assert sum(len(range(23)[s]) for s in even_pages(23, 4)) == 23


# --- measures ----------------------------------------------------------------------------------


def test_payoff_effect_and_claims_come_first(plain_run: SimpleNamespace) -> None:
    model = plain_run.scenario.model
    found = measures.main_measures(model, plain_run.trajectory, plain_run.contexts)
    keys = [m.key for m in found]
    assert keys[:2] == ["payoff", "assay.left coin, visible"]
    assert keys[-1] == "neutral[0]"
    assert {"policy[bias]", "policy[coin]"} < set(keys)
    assert found[1].bounds == (0.0, 1.0)
    assert found[0].bounds is None


def test_claims_on_contexts_and_unknown_measures(plain_run: SimpleNamespace) -> None:
    model, trajectory = plain_run.scenario.model, plain_run.trajectory
    found = measures.measured(
        "context.coin left.frequency",
        model=model,
        trajectory=trajectory,
        contexts=plain_run.contexts,
    )
    assert found is not None
    assert found.bounds == (0.0, 1.0)
    for key in ("score.LEDGER", "ledger.policy[bias].selection", "context.none.payoff", "arm"):
        assert (
            measures.measured(key, model=model, trajectory=trajectory, contexts=plain_run.contexts)
            is None
        )


def test_genes_are_found_by_their_columns() -> None:
    genes = ("policy", "policy rate", "trait")
    assert measures.gene_of("policy[a,b]", genes) == "policy"
    assert measures.gene_of("policy rate", genes) == "policy rate"
    assert measures.gene_of("trait.mean", genes) == "trait"
    assert measures.gene_of("trait.sd", genes) is None
    assert measures.gene_of("payoff", genes) is None


# --- panels ------------------------------------------------------------------------------------


def test_line_and_band_are_the_mean_and_its_interval(ax: Axes) -> None:
    rng = np.random.default_rng(2)
    values = rng.random((9, 4))
    data = pd.DataFrame(
        {
            "arm": "a",
            "replicate": np.repeat(np.arange(9), 4),
            "generation": np.tile([0, 10, 20, 40], 9),
            "value": values.ravel(),
        }
    ).sample(frac=1.0, random_state=1)
    assert plots.plot_measure(data, ax=ax, bounds=(0.0, 1.0)) is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), [0, 10, 20, 40])
    np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
    _, low, high = bands.mean_interval(values)
    corners = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose([corners[:, 1].min(), corners[:, 1].max()], [low.min(), high.max()])
    assert ax.get_ylim() == (0.0, 1.0)
    assert ax.get_xlabel() == "generation"


def test_few_replicates_are_single_lines(ax: Axes, plain_run: SimpleNamespace) -> None:
    few = plain_run.trajectory[plain_run.trajectory["replicate"] < 3]
    plots.plot_measure(few, value="payoff", ax=ax)
    assert len(ax.lines) == 2 * (1 + 3)
    assert not ax.collections


def test_markers_of_coinciding_lines_stand_apart(ax: Axes) -> None:
    time = np.arange(0, 600, 6)
    rows = [
        pd.DataFrame({"arm": f"arm {i}", "replicate": 0, "generation": time, "value": 1.0})
        for i in range(5)
    ]
    plots.plot_measure(pd.concat(rows), ax=ax)
    starts = [line.get_markevery()[0] for line in ax.lines]
    assert len(set(starts)) == 5


def test_one_generation_is_a_point(ax: Axes, plain_run: SimpleNamespace) -> None:
    now = plain_run.trajectory[plain_run.trajectory["generation"] == 0]
    plots.plot_measure(now, value="payoff", ax=ax, looks={"base": style.category(0)})
    assert ax.lines[0].get_marker() == "o"


def test_default_axes_are_pyplots(plain_run: SimpleNamespace) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, here = plt.subplots()
    assert plots.plot_measure(plain_run.trajectory, value="payoff") is here
    plt.close(figure)


def test_dose_shows_means_dots_and_claim_generation(ax: Axes, coin_run: SimpleNamespace) -> None:
    cells = coin_run.scenario.arms()
    group = groups.arm_groups(cells, [c.label for c in cells])[1]
    name = "left coin, visible"
    measured = sorted(coin_run.assays["generation"].unique())
    when = assays.claim_generations(coin_run.scenario.model, name, "rho", measured)
    assert when == [600, 60]
    plots.plot_dose(coin_run.assays, name, group.places, ax=ax, generations=when, bounds=(0.0, 1.0))
    rows = coin_run.assays.query("assay == @name and generation == 600")
    expected = [rows.loc[rows["arm"] == arm, "value"].mean() for arm in group.places]
    means = [line for line in ax.lines if len(line.get_xdata()) == len(case.RHO)]
    assert any(np.allclose(line.get_ydata(), expected) for line in means)
    dots = [line for line in ax.lines if len(line.get_xdata()) == len(case.RHO) * 5]
    assert len(dots) == 1
    assert ax.get_ylim() == (0.0, 1.0)


def test_dots_stay_right_of_zero_and_by_their_place(ax: Axes) -> None:
    x = np.array([0.001, 0.01, 0.1, 10.0])
    assays._draw_dots(ax, x, np.ones((50, 4)), style.category(0))
    across = ax.lines[0].get_xdata().reshape(50, 4)
    assert (across > 0).all()
    assert (np.abs(across - x) <= 0.26 * x).all()


def test_parameter_over_decades_is_logarithmic(ax: Axes) -> None:
    grid = {"population.agents": [10, 100, 1000]}
    cells = case.coin(arm=[{"name": "N", "grid": grid}], effect=None, claim=[]).arms()
    group = groups.arm_groups(cells, [c.label for c in cells])[1]
    assays.parameter_axis(ax, group)
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "agents"


def test_heat_map_is_centred_and_annotated(ax: Axes) -> None:
    cells = np.array([[-1.5, 0.5], [np.nan, 1e-9]])
    table = ledger.HeatTable(cells, ["left", "right"], ["go", "stay"], "")
    plots.plot_heat(table, ax=ax)
    mesh = ax.collections[0]
    assert mesh.get_clim() == (-1.5, 1.5)
    assert [t.get_text() for t in ax.texts] == ["−1.50", "+0.50", "0"]
    white = mesh.to_rgba(np.array([0.0]))[0][:3]
    assert min(white) > 0.9


def test_heat_tables_average_the_last_generation(plain_run: SimpleNamespace) -> None:
    rows = plain_run.ledger.query("arm == 'base' and kind == 'act'")
    tables = ledger.heat_tables(rows)
    assert [t.context for t in tables] == ["coin right", "coin left"]
    table = tables[0]
    i, j = table.percepts.index("coin=1"), table.actions.index("right")
    last = rows[
        (rows["generation"] == 600)
        & (rows["context"] == "coin right")
        & (rows["percept"] == "coin=1")
        & (rows["action"] == "right")
    ]
    assert table.cells[i, j] == pytest.approx(last["cumulative_selection"].mean())


def test_one_logit_of_two_actions_says_which_over_which() -> None:
    rows = pd.DataFrame(
        [
            ["logit", "", "blank", "left", -1.0],
            ["act", "here", "blank", "left", -0.5],
            ["act", "here", "blank", "right", 0.5],
        ],
        columns=["kind", "context", "percept", "action", "cumulative_selection"],
    ).assign(generation=5)
    logit, act = ledger._heats(rows)
    assert logit.table.actions == ["left over right"]
    assert act.table.actions == ["left", "right"]


def test_markers_are_not_chosen_by_how_far_they_moved() -> None:
    table = pd.DataFrame(
        {
            "arm": "base",
            "replicate": 0,
            "generation": [0, 1],
            "neutral[0]": [0.0, 0.1],
            "neutral[1]": [0.0, 9.0],
            "policy[bias]": [0.0, 0.2],
            "policy[coin]": [0.0, 0.5],
        }
    )
    chosen = measures._moving_loci(case.plain().model, table)
    assert chosen == ["policy[coin]", "policy[bias]", "neutral[0]"]


def test_many_percepts_keep_the_strongest() -> None:
    cells = np.arange(40.0).reshape(20, 2) * np.tile([1, -1], 10)[:, None]
    table = ledger._strongest(ledger.HeatTable(cells, [f"p{i}" for i in range(20)], ["a", "b"], ""))
    assert table.percepts == [f"p{i}" for i in range(8, 20)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.004, "+0.004"), (-0.25, "−0.25"), (12.34, "+12.3"), (-512.3, "−512")],
)
def test_numbers_on_maps(value: float, text: str) -> None:
    assert ledger.number(value) == text


def test_predictions_pair_with_what_agents_do(ax: Axes, plain_run: SimpleNamespace) -> None:
    both = scores.predicted_actual(plain_run.predictions)
    assert set(both["action"]) == {"left"}
    at = both[(both["predictor"] == "LEDGER") & (both["arm"] == "base")]
    np.testing.assert_allclose(at["predicted"], 0.9 * at["actual"] + 0.05)
    assert sorted(at["replicate"]) == list(range(6))
    plots.plot_predictions(plain_run.predictions, ax=ax)
    assert ax.get_xlim() == ax.get_ylim() == (0.0, 1.0)


def test_scores_stand_at_their_arms(ax: Axes, plain_run: SimpleNamespace) -> None:
    novel = plain_run.scores[plain_run.scores["split"] == "novel"]
    plots.plot_scores(novel, ["no bias cue", "base"], ax=ax)
    wanted = novel[(novel["arm"] == "base") & (novel["predictor"] == "LEDGER")]["score"].mean()
    points = {(round(x), y) for line in ax.lines for x, y in line.get_xydata()}
    assert any(x == 1 and y == pytest.approx(wanted) for x, y in points)


# --- whole runs --------------------------------------------------------------------------------


def test_files_are_written_and_the_same_each_time(
    plain_run: SimpleNamespace, tmp_path: Path
) -> None:
    plain_run.ledger = case.empty(plain_run.ledger)
    first = plots.plot_run(plain_run, tmp_path / "new" / "figures")
    names = ["trajectories", "assays", "scores"]
    assert [p.name for p in first] == [f"{n}.{x}" for n in names for x in ("png", "svg")]
    for path in first:
        head = path.read_bytes()[:8]
        assert head == b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else head.startswith(b"<?xml")
    second = plots.plot_run(plain_run, tmp_path / "again")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_further_pages_are_numbered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blank = {"assays": lambda run: [style.new_figure(1, 1), style.new_figure(1, 1)]}
    monkeypatch.setattr(plots, "_FIGURES", blank)
    paths = plots.plot_run(SimpleNamespace(), tmp_path)
    assert [p.name for p in paths] == ["assays.png", "assays.svg", "assays-2.png", "assays-2.svg"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trajectories", "CoinRun: go to the coin, or run right?"),
        ("trajectories", "mean payoff per episode"),
        ("trajectories", "generation"),
        ("trajectories", "P(left) at the start"),
        ("trajectories", "rho: coin left frequency"),
        ("trajectories", "no bias cue"),
        ("trajectories", "0.05"),
        ("trajectories", "95% bootstrap interval"),
        ("trajectories", "start value 0.5"),
        ("assays", "share of episodes reaching C"),
        ("assays", "against coin left frequency"),
        ("assays", "generation 60"),
        ("ledger", "policy[bias]"),
        ("ledger", "selection on acts in 'coin left'"),
        ("ledger", "coin hidden"),
        ("ledger", "red was selected for"),
        ("scores", "novel contexts, generation 600 (nats)"),
        ("scores", "predicted probability"),
    ],
)
def test_figures_say_what_they_show(name: str, said: str, pages: dict[str, list[Figure]]) -> None:
    assert said in texts(pages[name][0])


@pytest.mark.parametrize("name", ["trajectories", "assays", "ledger", "scores"])
def test_legends_never_cover_panels(name: str, pages: dict[str, list[Figure]]) -> None:
    (figure,) = pages[name]
    holders = [ax for ax in figure.axes if ax.get_legend() is not None]
    assert holders
    for holder in holders:
        box = holder.get_legend().get_window_extent()
        panels = [ax for ax in figure.axes if ax.axison]
        assert len(panels) >= 2
        assert not any(box.overlaps(ax.get_tightbbox()) for ax in panels)
        assert not box.overlaps(figure._suptitle.get_window_extent())


@pytest.mark.parametrize("name", ["trajectories", "assays", "ledger", "scores"])
def test_nothing_reaches_over_the_edge(name: str, pages: dict[str, list[Figure]]) -> None:
    (figure,) = pages[name]
    assert figure.bbox.count_contains(figure.get_tightbbox().corners() * figure.dpi) == 4


def test_labels_that_grow_with_the_layout_stay_on_the_page() -> None:
    figure, widths = style.new_figure(4.0, 3.0), set()
    ax = figure.add_subplot()

    def longer(_y: float, _: int | None) -> str:
        """After the layout's own two passes over the panels."""
        widths.add(ax.bbox.width)
        return "0" if len(widths) < 3 else "0.0000000"

    ax.yaxis.set_major_formatter(longer)
    ax.set_ylabel("a label")
    style.settle(figure)
    assert len(widths) >= 3
    assert figure.get_tightbbox().x0 >= 0


def test_rows_share_limits_that_hold_all_arms(pages: dict[str, list[Figure]]) -> None:
    for name in ("trajectories", "assays"):
        for ax in (ax for ax in pages[name][0].axes if ax.axison):
            low, high = ax.get_ylim()
            values = np.concatenate([x.get_ydata() for x in ax.lines])
            assert low <= np.nanmin(values)
            assert np.nanmax(values) <= high


def test_phases_and_interventions_are_marked() -> None:
    scenario = case.plain(
        phase=[
            {"name": "train", "start": 0, "frequencies": {"coin right": 1.0}},
            {"name": "test", "start": 200, "frequencies": {"coin left": 1.0}},
        ],
        intervention=[{"at": 400, "set": {"cues.coin.visible": 1.0}}],
    )
    with style.figure_style():
        (figure,) = trajectories.draw_trajectories(case.run_of(scenario, replicates=2))
        assert "200 (phase 'test'), 400 (coin visible = 1)" in texts(figure)
        marks = [x.get_xdata()[0] for x in figure.axes[1].lines if len(x.get_xdata()) == 2]
        assert {200, 400} <= set(marks)


@pytest.mark.parametrize("missing", ["assays", "ledger", "scores", "trajectory", "predictions"])
def test_an_empty_table_is_left_out(missing: str, plain_run: SimpleNamespace) -> None:
    setattr(plain_run, missing, case.empty(getattr(plain_run, missing)))
    name = {"trajectory": "trajectories"}.get(missing, missing)
    with style.figure_style():
        found = {name for name, draw in plots._FIGURES.items() if draw(plain_run)}
    names = {name, "record"} if missing == "ledger" else {name}
    assert found == {"trajectories", "assays", "ledger", "record", "scores"} - names


def test_a_run_without_anything_draws_nothing(plain_run: SimpleNamespace, tmp_path: Path) -> None:
    for name in ("trajectory", "contexts", "assays", "ledger", "predictions", "scores"):
        setattr(plain_run, name, case.empty(getattr(plain_run, name)))
    assert plots.plot_run(plain_run, tmp_path) == []


def test_one_replicate_of_one_arm() -> None:
    scenario = case.coin(arm=[], effect=None, claim=[])
    assert len(drawn(case.run_of(scenario, replicates=1, rows=2))) == 4


def test_extinct_replicates_are_counted_and_left_out(plain_run: SimpleNamespace) -> None:
    whole = plain_run.trajectory
    gone = (whole["replicate"] < 2) & (whole["generation"] > 200) & (whole["arm"] == "base")
    plain_run.trajectory = whole.assign(extinct=gone)
    for column in ("payoff", "policy[coin]", "assay.jump"):
        lost = whole[column].astype("Float64").mask(gone, pd.NA)
        plain_run.trajectory[column] = lost
    rows = plain_run.assays
    plain_run.assays = rows[~((rows["replicate"] < 2) & (rows["arm"] == "base"))]
    (figure,) = drawn(plain_run)["trajectories"]
    assert "base (2 of 6 extinct)" in texts(figure)
    late = whole[(whole["arm"] == "base") & (whole["generation"] == 600)]
    survivors = late[late["replicate"] >= 2]["payoff"].mean()
    assert figure.axes[1].lines[0].get_ydata()[-1] == pytest.approx(survivors)


def test_all_extinct_arms_leave_no_line(plain_run: SimpleNamespace) -> None:
    table = plain_run.trajectory.assign(extinct=True)
    for name in table.columns.difference(["arm", "replicate", "generation", "extinct"]):
        table[name] = pd.array([pd.NA] * len(table), dtype="Float64")
    plain_run.trajectory = table
    plain_run.assays = plain_run.assays.assign(value=np.nan)
    assert set(drawn(plain_run)) == {"ledger", "record", "scores"}


def test_odd_names_are_drawn() -> None:
    odd = "_under $score$ " + "very long name of an arm " * 2 + "机器"
    scenario = case.coin(
        title="A title of many words that goes on, and on, with $dollars$ and \U0001f9ec " * 2,
        arm=[
            {"name": odd, "set": {"cues.bias": 0}, "control": True},
            {"name": "%s {x} \\n", "set": {"cues.bias": 2}},
        ],
        effect=None,
        claim=[],
    )
    pages = drawn(case.run_of(scenario, replicates=2, rows=3))
    assert r"_under \$score\$ very long name of an arm" in texts(pages["trajectories"][0])


def test_grids_of_words_and_of_two_keys() -> None:
    grids = [
        {"name": "choice", "grid": {"mind.choice": ["softmax", "greedy"]}},
        {
            "name": "both",
            "grid": {"cues.coin.visible": [0.2, 1.0], "population.agents": [10, 100, 1000]},
        },
    ]
    pages = drawn(case.run_of(case.coin(arm=grids, effect=None, claim=[]), replicates=2, rows=3))
    assert {name: len(figures) for name, figures in pages.items()} == {
        "trajectories": 1,
        "assays": 2,
        "ledger": 1,
        "scores": 2,
    }


def test_a_landscape_without_contexts() -> None:
    scenario = case.Scenario.from_dict(
        {
            "title": "Hill",
            "world": {"kind": "landscape", "shape": "linear", "gene": "trait"},
            "genome": {
                "trait": {"loci": 40, "mutation": 0.1},
                "marker": {"kind": "bits", "loci": 1},
            },
            "selection": {"kind": "wright-fisher", "fitness": {"exponential": 1.0}},
        }
    )
    rows = {"arm": "base", "replicate": np.repeat(np.arange(6), 5)}
    rows["generation"] = np.tile(np.arange(5) * 10, 6)
    table = pd.DataFrame(rows)
    table["payoff"] = table["generation"] * 1e9
    table["trait.mean"] = table["generation"] * 0.1
    table["trait[3]"] = 0.2
    table["marker"] = 0.5
    nothing = {name: pd.DataFrame() for name in ("contexts", "ledger", "predictions")}
    run = SimpleNamespace(scenario=scenario, trajectory=table, **nothing)
    run.assays = pd.DataFrame({"arm": [], "assay": [], "value": []})
    run.scores = pd.DataFrame({"arm": [], "score": []})
    assert list(drawn(run)) == ["trajectories"]
    found = {m.key: m for m in measures.main_measures(scenario.model, table)}
    assert list(found)[:2] == ["payoff", "trait.mean"]
    assert found["marker"].bounds == (0.0, 1.0)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write figures"):
        plots.plot_run(SimpleNamespace(), tmp_path / "file" / "figures")


def test_style_is_put_back() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with style.figure_style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert dict(mpl.rcParams) == before


def test_looks_are_values() -> None:
    assert replace(style.category(1), width=2.0).line()["linewidth"] == 2.0


def test_drawing_opens_no_window_and_no_pyplot_figure(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import plot_case as case\n"
        "from evosim.plots import plot_run\n"
        f"plot_run(case.run_of(case.plain(), replicates=2, rows=3), {str(tmp_path)!r})\n"
        "import matplotlib.pyplot as plt\n"
        "assert plt.get_fignums() == []\n"
    )
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=root, timeout=120)


def test_indices_of_trials_have_names_and_bounds(plain_run: SimpleNamespace) -> None:
    table = plain_run.trajectory.assign(**{"trial.accident.lock_in": 0.5, "trial.x.odd_one": 1.0})
    model = plain_run.scenario.model
    found = measures.trajectory_measure(table, "trial.accident.lock_in", model)
    assert found is not None
    assert (found.title, found.label) == ("locked in (trial 'accident')", "share of lives")
    assert found.bounds == (0.0, 1.0)
    other = measures.trajectory_measure(table, "trial.x.odd_one", model)
    assert other is not None
    assert other.title == "odd one (trial 'x')"


def test_shares_explained_have_names_and_bounds(plain_run: SimpleNamespace) -> None:
    table = plain_run.trajectory.assign(**{"explained.a goal.direction": 0.5})
    model = plain_run.scenario.model
    found = measures.trajectory_measure(table, "explained.a goal.direction", model)
    assert found is not None
    assert found.title == "explained by one goal ('a goal')"
    assert found.bounds == (0.0, 1.0)


def test_panels_share_all_generations(plain_run: SimpleNamespace) -> None:
    rows = plain_run.trajectory
    early = rows["generation"] == 0
    plain_run.trajectory = rows.assign(**{"assay.jump": rows["assay.jump"].where(early)})
    with style.figure_style():
        (figure,) = trajectories.draw_trajectories(plain_run)
    limits = {ax.get_xlim() for ax in figure.axes if ax.axison}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low <= 0
    assert high >= rows["generation"].max()
