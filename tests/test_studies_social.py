"""What theory has of the doses of two genes of the channel: teaching, and the number of models."""

import math

import numpy as np
from test_studies_predicted import parents, read

#: Errors of the number of models, in sd, and their weights.
_LUCK = np.linspace(-6, 6, 2401)
_WEIGHT = np.exp(-(_LUCK**2) / 2) / np.exp(-(_LUCK**2) / 2).sum()


def _items(gene, shared):
    """Chance to know each of scenarios/several_models.toml's items at death, by the luck of n."""
    met = np.floor(np.maximum(gene + 0.5 * _LUCK, 0) + 0.5)
    return 1 - 0.9 * (1 - 0.6 * shared) ** met


def _gain(gene, price, step=0.02):
    """How log mean fitness rises with the gene of who lives among those that have it."""
    shared = 0.9
    for _ in range(60):
        shared = (_WEIGHT * _items(gene, shared)).sum()

    def fitness(own):
        worth = (1 + _items(own, shared) * math.expm1(0.05)) ** 100
        return math.log((_WEIGHT * worth * np.exp(-price * abs(own + 0.5 * _LUCK))).sum())

    return (fitness(gene + step) - fitness(gene - step)) / (2 * step)


def taught(price, populations, agents=320, generations=100):
    """Mean effort of clonal teachers of their own children, scenarios/teaching_parents.toml."""
    luck = np.random.default_rng(1)
    effort = np.full((populations, agents), 0.4)
    known = luck.poisson(10, effort.shape)
    for _ in range(generations):
        parent = parents(luck, np.exp((0.03 - price * effort) * known))
        teacher = effort.ravel()[parent]
        passed = luck.binomial(known.ravel()[parent], 0.5 + 0.5 * teacher)
        known = passed + luck.poisson(10, teacher.shape)
        effort = np.abs(teacher + 0.02 * luck.standard_normal(teacher.shape))
        effort = np.where(effort > 0.8, 1.6 - effort, effort)
    return effort.mean(1)


def test_numbers_of_models_end_where_the_mean_of_fitness_has_its_top():
    """The upper point: there is more to gain just below it, and less just above."""
    values, dose = read("several_models")
    for price, point in list(zip(values, dose["predicted"], strict=True))[::2]:
        assert _gain(point - 0.02, price) > 0 > _gain(point + 0.02, price)


def test_teachers_are_those_of_drawn_populations():
    values, dose = read("teaching_parents")
    for value, predicted in zip(values[1::3], dose["predicted"][1::3], strict=True):
        found = taught(value, 8)
        error = found.std(ddof=1) * math.sqrt(1 / 8 + 1 / 60)
        assert abs(predicted - found.mean()) < 4 * error + 0.0005
