"""What a study file may say, the points of its design, and the plan made of them."""

import json
import tomllib

import jsonschema
import numpy as np
import pytest
import studies_case as case

import evosim
from evosim.errors import UserError
from evosim.scenario.load import is_study
from evosim.studies.designs import points_of
from evosim.studies.file import SCHEMA_FILE, load_study_file, schema_text
from evosim.studies.plan import code_version, extend, make_plan

UNIT = "{ low = 0.0, high = 1.0 }"


def sampled(kind, points, extra="", parameters=f"a = {UNIT}, b = {UNIT}"):
    text = f"""
title = "t"
scenario = "lamps.toml"
arms = ["base"]
{extra}
[names]
a = "genome.policy.mutation"
b = "assay.right by day.every"
[design]
kind = "{kind}"
points = {points}
parameters = {{ {parameters} }}
"""
    return text


MUTATION = 'title = "t"\nscenario = "lamps.toml"\narms = ["base"]\n{}[design]\nkind = "{}"\n{}'
PARAMETERS = 'parameters = { "genome.policy.mutation" = { low = 0.01, high = 0.5 } }\n'


def loaded(folder, text):
    return load_study_file(case.write(folder, text))


def plan(folder, text):
    return make_plan(loaded(folder, text), "code")


def error(folder, text):
    with pytest.raises(UserError) as caught:
        plan(folder, text)
    line = caught.value.one_line()
    assert "\n" not in line
    return line.replace(str(folder), "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"lamps.toml"', '"lamp.toml"', "/brighter.toml:3: scenario: no such file: /lamp.toml; d"),
        ('["base"]', '["bass"]', "/brighter.toml:4: arms: no arm 'bass'; allowed: base, neutral"),
        ("replicates = 2", "replicas = 2", ":5: replicas: unknown key; allowed: title, scenario"),
        ("replicates = 2", "replicates = 0", ":5: replicates: 0 is not allowed; allowed: a whole"),
        ('kind = "grid"', 'kind = "gird"', ":11: design.kind: 'gird' is not a kind of design"),
        ('kind = "grid"', "", ":10: design.kind: missing; allowed: 'grid', 'list', 'random'"),
        ("mu = [", "nu = [", ":7: names.mu: the design has no such parameter; allowed: nu, pop"),
        ('"genome.policy.mutation"', '"genome.policy.mutatoin"',
         ':13: design.parameters.mu: at mu = 0.05, population.agents = 16: '),
        ("0.05, 0.2", "-0.05, 0.1", ":13: design.parameters.mu: at mu = -0.05"),
        ("0.05, 0.2", "0.1, 0.1", "design: points 0 and 2 are the same scenario"),
        ("[set]", "[set]\nseed = 4\n[set2]", "set2: unknown key"),
        ('"population.agents" =', "seed =", ":14: design.parameters.seed: seed is no parameter"),
        ("mu", "policy", "'policy' is the name of a column of the tables"),
        ("mu", "arm", "'arm' is the name of a column of the tables"),
        ('"population.agents" =', '"population.generations" =', "stands in both set and design"),
        ('"population.agents" =', '"genome.policy.mutation" =', "sets genome.policy.mutation alre"),
        ('"population.generations" = 20', '"population.generatoins" = 20', "did you mean"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(tmp_path, old, new, said):
    assert old in case.STUDY
    assert said in error(tmp_path, case.STUDY.replace(old, new))


@pytest.mark.parametrize(
    ("design", "said"),
    [
        (("sobol", "points = 6\n" + PARAMETERS), "points must be a power of 2, e.g. 8"),
        (("saltelli", "points = 6\n" + PARAMETERS), "points must be a power of 2, e.g. 8"),
        (("saltelli", "points = 8\n[design.parameters]\n'population.agents' = "
          "{ low = 8, high = 16, whole = true }"), "'population.agents' is whole: points would co"),
        (("random", "points = 0\n" + PARAMETERS), "points: 0 is not allowed"),
        (("random", "points = 4\n" + PARAMETERS.replace("0.01", "0.6")), "need low < high"),
        (("random", "points = 4\n" + PARAMETERS.replace("}", ", scale = 'log' }", 1).replace(
            "0.01", "0.0")), "scale = 'log' needs low > 0"),
        (("list", "points = [{ a = 1 }, { b = 2 }]"), "design.points.0: lacks 'b'"),
        (("grid", PARAMETERS), "parameters"),
    ],
)  # fmt: skip
def test_mistakes_of_designs_are_told_in_one_line(tmp_path, design, said):
    assert said in error(tmp_path, MUTATION.format("", *design))


@pytest.mark.parametrize(
    ("dose", "said"),
    [
        ("parameter = 'nu'", "dose.parameter: the design has no such parameter; allowed: mu, pop"),
        ("predicted = [1]", "dose.predicted: 1 values for 2 of 'mu'"),
        ("scale = 'ln'", "dose.scale: 'ln' is not allowed"),
    ],
)
def test_mistakes_about_the_figure_are_told_in_one_line(tmp_path, dose, said):
    assert said in error(tmp_path, f"{case.STUDY}\n[dose]\nmeasure = 'payoff'\n{dose}\n")


def test_the_schema_in_the_package_is_that_of_the_models():
    assert SCHEMA_FILE.read_text() == schema_text()
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(case.STUDY), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(case.STUDY.replace("title", "titel")), schema)


# Designs


def test_a_grid_has_every_combination(tmp_path):
    found = plan(tmp_path, case.STUDY)
    assert len(found) == 8
    assert len(set(found["run"])) == 8
    assert set(zip(found["mu"], found["population.agents"], strict=True)) == {
        (mu, n) for mu in (0.05, 0.2) for n in (16, 32)
    }


def test_a_list_has_its_points(tmp_path):
    text = MUTATION.format("", "list", 'points = [{ "population.agents" = 8 }, '
                                       '{ "population.agents" = 4 }]\n')  # fmt: skip
    assert list(plan(tmp_path, text)["population.agents"]) == [8, 4]


@pytest.mark.parametrize("kind", ["random", "latin-hypercube", "sobol"])
def test_points_fill_the_unit_square(tmp_path, kind):
    points = np.array([list(p.values()) for p in points_of(
        loaded(tmp_path, sampled(kind, 64)).model)])  # fmt: skip
    assert points.shape == (64, 2)
    assert ((points >= 0) & (points < 1)).all()
    strata = np.sort((points * 64).astype(int), axis=0)
    halves = [len(set((points[:, j] * 2).astype(int))) for j in (0, 1)]
    assert halves == [2, 2]
    # Latin hypercubes and scrambled Sobol nets meet every stratum once; random points do not.
    assert (strata == np.arange(64)[:, None]).all() == (kind != "random")
    assert abs(points.mean() - 0.5) < 4 * (1 / 12 / 128) ** 0.5


@pytest.mark.parametrize("kind", ["random", "sobol", "saltelli"])
def test_more_points_begin_with_the_old_ones(tmp_path, kind):
    few = points_of(loaded(tmp_path, sampled(kind, 16)).model)
    many = points_of(loaded(tmp_path, sampled(kind, 64)).model)
    assert len(few) == 16 * (4 if kind == "saltelli" else 1)
    assert many[: len(few)] == few


def test_saltelli_points_exchange_one_parameter_at_a_time(tmp_path):
    points = points_of(loaded(tmp_path, sampled("saltelli", 4)).model)
    blocks = np.array([list(p.values()) for p in points]).reshape(4, 4, 2)
    for one, first, second, two in blocks:
        assert first.tolist() == [two[0], one[1]]
        assert second.tolist() == [one[0], two[1]]
        assert (one != two).all()


def test_a_latin_hypercube_of_more_points_is_another(tmp_path):
    few = points_of(loaded(tmp_path, sampled("latin-hypercube", 16)).model)
    many = points_of(loaded(tmp_path, sampled("latin-hypercube", 32)).model)
    assert not any(point in many for point in few)


def test_ranges_choices_and_logarithms(tmp_path):
    parameters = (
        'a = { low = 1e-3, high = 1.0, scale = "log" }, b = { low = 1, high = 4, whole = true }'
    )
    text = sampled(
        "random", 2000, parameters=parameters.replace("= 1,", "= 1.0,").replace("4,", "4.0,")
    )
    points = points_of(loaded(tmp_path, text).model)
    a = np.array([p["a"] for p in points])
    b = [p["b"] for p in points]
    assert ((a >= 1e-3) & (a <= 1)).all()
    # A third of the points lies in each decade; each whole number is as likely.
    assert abs((a < 1e-2).mean() - 1 / 3) < 4 * (2 / 9 / 2000) ** 0.5
    assert {type(v) for v in b} == {int}
    counts = np.bincount(b, minlength=5)
    assert (np.abs(counts[1:] - 500) < 4 * (2000 * 3 / 16) ** 0.5).all()
    assert counts[0] == 0
    text = sampled("random", 50, parameters='a = { low = 0.0, high = 1.0 }, b = ["x", "y"]')
    assert {p["b"] for p in points_of(loaded(tmp_path, text).model)} == {"x", "y"}


# Seeds and ids


def test_a_replicate_has_the_same_seed_at_every_point(tmp_path):
    found = plan(tmp_path, case.STUDY)
    assert found.groupby("replicate")["seed"].nunique().tolist() == [1, 1]
    assert found["seed"].nunique() == 2
    free = plan(
        tmp_path, case.STUDY.replace("replicates = 2", "replicates = 2\nindependent = true")
    )
    assert free["seed"].nunique() == 8
    other = plan(tmp_path, case.STUDY.replace("replicates = 2", "replicates = 2\nseed = 6"))
    assert not set(other["seed"]) & set(found["seed"])


@pytest.mark.parametrize("independent", ["", "independent = true\n"])
def test_more_points_and_replicates_change_no_planned_run(tmp_path, independent):
    text = case.STUDY.replace("replicates = 2", f"{independent}replicates = 2")
    few = plan(tmp_path, text)
    file = loaded(tmp_path, text.replace("[0.05", "[0.01, 0.05").replace(
        "replicates = 2", "replicates = 3"))  # fmt: skip
    many = make_plan(file, "code")
    assert set(few["run"]) < set(many["run"])
    joined = extend(few, many, file, done=set(), any_code=False)
    assert joined.iloc[:8].equals(few)
    assert set(joined["run"]) == set(many["run"])
    assert joined.groupby("point")["replicate"].apply(list).tolist() == [[0, 1, 2]] * 6
    assert sorted(set(joined["point"])) == list(range(6))


def test_the_id_knows_scenario_seed_and_code(tmp_path):
    file = loaded(tmp_path, case.STUDY)
    runs = set(make_plan(file, "code")["run"])
    assert runs == set(make_plan(file, "code")["run"])
    assert not runs & set(make_plan(file, "edited")["run"])
    other = plan(tmp_path, case.STUDY.replace('generations" = 20', 'generations" = 21'))
    assert not runs & set(other["run"])
    # A title is no part of it, nor whether a value stands in `set` or in the design.
    moved = case.STUDY.replace("Brighter", "Dimmer").replace('"population.generations" = 20', "")
    moved = moved.replace(
        "[design.parameters]", '[design.parameters]\n"population.generations" = [20]'
    )
    assert runs == set(plan(tmp_path, moved)["run"])


def test_the_code_version_follows_the_users_files(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("a = 1\n")
    scenario = loaded(tmp_path, case.STUDY).base
    before = code_version([plugin], scenario)
    assert code_version([plugin], scenario) == before != code_version([], scenario)
    plugin.write_text("a = 2\n")
    assert code_version([plugin], scenario) != before


def test_what_may_not_be_extended_says_why(tmp_path):
    text = sampled("latin-hypercube", 16, parameters=f"a = {UNIT}").replace(
        'b = "assay.right by day.every"\n', "")  # fmt: skip
    old = plan(tmp_path, text)
    file = loaded(tmp_path, text.replace("points = 16", "points = 32"))
    with pytest.raises(UserError, match="a Latin hypercube cannot be extended: its strata"):
        extend(old, make_plan(file, "code"), file, done=set(), any_code=False)
    more = loaded(tmp_path, text.replace("arms =", "replicates = 2\narms ="))
    assert len(extend(old, make_plan(more, "code"), more, done=set(), any_code=False)) == 32
    grid = plan(tmp_path, case.STUDY)
    fewer = loaded(tmp_path, case.STUDY.replace("0.05, ", ""))
    with pytest.raises(UserError, match="4 of the 8 runs planned there are not in this study"):
        extend(grid, make_plan(fewer, "code"), fewer, done=set(), any_code=False)


def test_changed_code_is_refused_unless_asked(tmp_path):
    file = loaded(tmp_path, case.STUDY)
    old, new = make_plan(file, "code"), make_plan(file, "edited")
    with pytest.raises(UserError, match="planned with another version of evosim"):
        extend(old, new, file, done=set(old["run"]), any_code=False)
    done = set(old["run"][:5])
    joined = extend(old, new, file, done=done, any_code=True)
    assert joined["run"].tolist() == [*old["run"][:5], *new["run"][5:]]
    assert joined["code"].tolist() == ["code"] * 5 + ["edited"] * 3


def test_many_runs_share_the_seeds_of_few_replicates(tmp_path):
    text = MUTATION.format("replicates = 500\n", "sobol", "points = 64\n" + PARAMETERS)
    found = plan(tmp_path, text)
    assert len(found) == 32_000
    assert found["seed"].nunique() == 500
    assert evosim.Scenario.load(tmp_path / "lamps.toml").model.population.replicates == 3
    assert (found["populations"] == 3).all()


@pytest.mark.parametrize(
    ("text", "study"),
    [
        ('scenario = "a.toml"\n[design]\nkind = "list"', True),
        ('scenario = "a.toml"\n  [ "design" ]\nkind = "list"', True),
        ('scenario = "a.toml"\n[design.parameters]\n"a.b" = [1]', True),
        ('design = { kind = "list" }\nscenario = "a.toml"', True),
        ('title = "a design"\nprose = """\ndesign of a scenario"""\n[world]', False),
        ('[design]\nkind = "list"', False),
        ('scenario = "a.toml"\n[design', False),
    ],
)
def test_a_study_is_told_from_a_scenario(text, study):
    assert is_study(text) is study
