"""What passes through a cultural channel: stocks, thresholds, slopes, skill and selection.

Sources: Enquist et al. 2008 TPB 74:46 and 2010 Anim. Behav. 79:1353 (fidelity times models),
Rogers 1988 Am. Anthropol. 90:819, Henrich 2004 Am. Antiquity 69:197, MacKay 2003 chapter 19
(genetic information). Results T20, T48-T51 and T55; the stock's selection on fidelity is S44's.
"""

import math

import numpy as np
from scipy import optimize, stats

from evosim.oracles import _checks
from evosim.oracles._checks import FloatArray


def channel_stock(
    learning: float,
    fidelity: float,
    generations: int,
    capacity: float = math.inf,
    start: float = 0.0,
) -> FloatArray:
    """Items known at death, c' = min(C, f c) + L, in generations 0 to T (result T55).

    Parameters
    ----------
    learning : float
        L, items found in a life.
    fidelity : float
        f, chance that an item of the one model is received.
    generations : int
        T.
    capacity : float
        C, most items received.
    start : float
        What the generation before the first one knew.

    Returns
    -------
    (T + 1,) float64

    Raises
    ------
    ValueError
        For parameters out of range.
    """
    gain = _checks.number("learning", learning, 0.0)
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    stock, out = _checks.number("start", start, 0.0), []
    for _ in range(_checks.integer("generations", generations, 0) + 1):
        stock = min(capacity, f * stock) + gain
        out.append(stock)
    return np.array(out)


def saturated_offset(learning: float, fidelity: float, capacity: float = math.inf) -> float:
    """Where the stock of a saturated channel ends: L/(1 - f), or C + L (result T55 i, ii).

    Parameters
    ----------
    learning : float
        L >= 0, items (or units) that a life finds by itself.
    fidelity : float
        f in [0, 1], chance that an item of a model is received.
    capacity : float
        C, most that the channel passes on; default: no limit.

    Returns
    -------
    float
        Stock at the fixed point, in items.

    Raises
    ------
    ValueError
        For fidelity 1 without a capacity: such a stock has no end.
    """
    gain = _checks.number("learning", learning, 0.0)
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    if f == 1.0 and capacity == math.inf:
        raise ValueError("a channel that loses nothing and is never full has no fixed point")
    unlimited = math.inf if f == 1.0 else gain / (1.0 - f)
    return unlimited if f * unlimited <= capacity else capacity + gain


def item_prevalence(fidelity: float, models: int) -> float:
    """Share x* of agents that know an item for ever: x = 1 - (1 - f x)^n; 0 if n f <= 1 (T50).

    Parameters
    ----------
    fidelity : float
        f in [0, 1], chance that an item of a model is received.
    models : int
        n >= 1 cultural parents.

    Returns
    -------
    float
        x*, between 0 and 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    n = _checks.integer("models", models, 1)
    if n * f <= 1.0:
        return 1.0 if n * f == 1.0 and n == 1 else 0.0
    if f == 1.0:
        return 1.0
    return float(optimize.brentq(lambda x: 1.0 - (1.0 - f * x) ** n - x, 1e-12, 1.0, xtol=1e-15))


def spread_chance(fidelity: float, models: int) -> float:
    """Chance that an item known to one agent is not lost: pi = 1 - exp(-n f pi) (T55 iv).

    An approximation for many agents: the number that receive it is taken as Poisson.

    Parameters
    ----------
    fidelity : float
        f in [0, 1], chance that an item of a model is received.
    models : int
        n >= 1 cultural parents.

    Returns
    -------
    float
        pi, between 0 and 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    mean = _checks.integer("models", models, 1) * _checks.number("fidelity", fidelity, 0.0, 1.0)
    if mean <= 1.0:
        return 0.0
    return float(optimize.brentq(lambda p: 1.0 - math.exp(-mean * p) - p, 1e-12, 1.0, xtol=1e-15))


def unbounded_slope(agents: int, learning: float, fidelity: float, models: int) -> float:
    """Items per generation that an open pool adds to what an agent knows: N L pi x* (T55 iv).

    Parameters
    ----------
    agents : int
        N >= 1.
    learning : float
        L >= 0, items (or units) that a life finds by itself.
    fidelity : float
        f in [0, 1], chance that an item of a model is received.
    models : int
        n >= 1 cultural parents.

    Returns
    -------
    float
        Items per generation.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n = _checks.integer("agents", agents, 1)
    gain = _checks.number("learning", learning, 0.0)
    return n * gain * spread_chance(fidelity, models) * item_prevalence(fidelity, models)


def open_pool_stock(
    agents: int, learning: float, fidelity: float, models: int, generations: int
) -> FloatArray:
    """Items that an agent knows at death, on average and exactly for finite N (T55 iv).

    Items pass independently of each other, so that what is known is the sum over all innovations
    of the chance that the agent knows it: a chain of the number k of agents that know one, with
    k' ~ Binomial(N, 1 - (1 - f k/N)^n).

    Parameters
    ----------
    agents : int
        N >= 1.
    learning : float
        L >= 0, items (or units) that a life finds by itself.
    fidelity : float
        f in [0, 1], chance that an item of a model is received.
    models : int
        n >= 1 cultural parents.
    generations : int
        T >= 0.

    Returns
    -------
    (T + 1,) float64

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    size = _checks.integer("agents", agents, 1)
    gain = _checks.number("learning", learning, 0.0)
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    n = _checks.integer("models", models, 1)
    k = np.arange(size + 1)
    matrix = stats.binom.pmf(k[None, :], size, (1.0 - (1.0 - f * k / size) ** n)[:, None])
    state = np.zeros(size + 1)
    state[1] = 1.0
    known = []
    for _ in range(_checks.integer("generations", generations, 0) + 1):
        # N L innovations in a generation, each known to a share k/N of the agents.
        known.append(gain * float(state @ k))
        state = state @ matrix
    return np.cumsum(known)


def finite_pool_stock(
    items: int, learning: float, generations: int, start: float = 0.0
) -> FloatArray:
    """Items known when each life finds what is left of a pool: M (1 - (1 - L/M)^t) (T55 v).

    Parameters
    ----------
    items : int
        M >= 1 items that there are.
    learning : float
        L >= 0, items (or units) that a life finds by itself.
    generations : int
        T >= 0.
    start : float
        Items known before, 0..M.

    Returns
    -------
    (T + 1,) float64
        At death in generations 0 to T, with f = 1 and one model; `start` are those known before.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    m = _checks.integer("items", items, 1)
    share = _checks.number("learning", learning, 0.0, m) / m
    t = np.arange(_checks.integer("generations", generations, 0) + 1)
    left = m - _checks.number("start", start, 0.0, m)
    return np.asarray(m - left * (1.0 - share) ** (t + 1.0))


def masked_share(
    learning: float, items: int, fidelity: float, innate: float
) -> tuple[float, float]:
    """Share of items known at death by culture, and by whom an item is not innate (S42, masked).

    With one model an item is received with f y, and learned with L/M by those who have it neither
    innate (a share g of the agents) nor received: y = f y + (1 - f y)(1 - g) L/M. An agent
    without the innate item knows it at death with probability f y + (1 - f y) L/M, by which its
    selection is weaker than without culture.

    Parameters
    ----------
    learning : float
        L >= 0, items (or units) that a life finds by itself.
    items : int
        M >= 1 items that there are.
    fidelity : float
        f in [0, 1], chance that an item of a model is received.
    innate : float
        g in [0, 1], share of agents in whom the item is innate.

    Returns
    -------
    (float, float)
        The two shares, between 0 and 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    m = _checks.integer("items", items, 1)
    a = _checks.number("learning", learning, 0.0, m) / m
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    rest = (1.0 - _checks.number("innate", innate, 0.0, 1.0)) * a
    y = rest / (1.0 - f + f * rest) if rest > 0.0 else 0.0
    return y, f * y + (1.0 - f * y) * a


def fidelity_threshold(benefit: float, learning: float, cost: float) -> float:
    """Fidelity below which copying is lost and above which it runs up: 1 - b L/k (S44).

    Fitness exp(b stock - k f) with stock f c* + L, c* = L/(1 - f): the gradient on f is
    b L/(1 - f) - k.

    Parameters
    ----------
    benefit : float
        b, fitness per unit of stock (T48: of being right), in units of log fitness or payoff.
    learning : float
        L >= 0, items (or units) that a life finds by itself.
    cost : float
        k (T48: c), cost of fidelity (of learning by oneself), in the benefit's units.

    Returns
    -------
    float
        f at which the gradient is zero; negative where copying always pays.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    b = _checks.number("benefit", benefit, 0.0)
    gain = _checks.number("learning", learning, 0.0)
    return 1.0 - b * gain / _checks.number("cost", cost, 0.0, above=True)


def teaching_threshold(benefit: float, fidelity: float, relatedness: float) -> float:
    """Cost of teaching above which it is lost: b r (1 - f)/(1 - r f), whatever the effort (S48).

    Derived: per item known a little more effort costs c and saves 1 - f. A teacher's pupil carries
    its gene with chance r, the pupil's own with r^2, and so on; each item is worth b - c e to who
    has it and is passed on with chance p = f + (1 - f) e, so that what is saved brings
    (1 - f)(b - c e) r/(1 - r p) to the gene. That is c at the threshold, where e drops out.

    Parameters
    ----------
    benefit : float
        b, log fitness per item known.
    fidelity : float
        f in [0, 1), chance that an item is received without teaching.
    relatedness : float
        r in [0, 1]: 1 for pupils that are clones of their teacher, 1/2 for its children by two
        parents, 0 for anyone's.

    Returns
    -------
    float
        c*, log fitness per unit of effort and item known.

    Raises
    ------
    ValueError
        If an argument is out of range, or nothing is lost that teaching could save.
    """
    b = _checks.number("benefit", benefit, 0.0)
    f = _checks.number("fidelity", fidelity, 0.0, 1.0)
    r = _checks.number("relatedness", relatedness, 0.0, 1.0)
    if f == 1.0:
        raise ValueError("with fidelity 1 nothing is lost that teaching could save")
    return b * r * (1.0 - f) / (1.0 - r * f)


def rogers_equilibrium(benefit: float, cost: float, change: float) -> tuple[float, float]:
    """Share of social learners, and mean excess fitness b - c, at equilibrium (result T48).

    Parameters
    ----------
    benefit : float
        b, fitness per unit of stock (T48: of being right), in units of log fitness or payoff.
    cost : float
        k (T48: c), cost of fidelity (of learning by oneself), in the benefit's units.
    change : float
        u, chance that what is copied is out of date.

    Returns
    -------
    (float, float)
        Share p*, and b - c in units of payoff.

    Raises
    ------
    ValueError
        Unless 0 < u < c/b < 1: else one kind of learner takes over.
    """
    b = _checks.number("benefit", benefit, 0.0, above=True)
    ratio = _checks.number("cost", cost, 0.0, b, above=True, below=True) / b
    u = _checks.number("change", change, 0.0, ratio, above=True, below=True)
    return (ratio - u) / ((1.0 - u) * ratio), b * (1.0 - ratio)


def skill_step(agents: int, loss: float, spread: float) -> float:
    """Change of the best skill in a generation: -alpha + beta (gamma + ln N) (result T49).

    Parameters
    ----------
    agents : int
        N >= 1.
    loss : float
        alpha, by which a learner's mode falls short of the model.
    spread : float
        beta > 0, scale of the Gumbel error of copying.

    Returns
    -------
    float
        Expected change, in units of skill.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n = _checks.integer("agents", agents, 1)
    alpha, beta = _checks.number("loss", loss), _checks.number("spread", spread, 0.0, above=True)
    return -alpha + beta * (float(np.euler_gamma) + math.log(n))


def critical_agents(loss: float, spread: float) -> float:
    """Agents below which skill is lost: exp(alpha/beta - gamma) (result T49).

    Parameters
    ----------
    loss : float
        alpha, by which a learner's mode falls short of the model.
    spread : float
        beta > 0, scale of the Gumbel error of copying.

    Returns
    -------
    float
        N*, agents.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    ratio = _checks.number("loss", loss) / _checks.number("spread", spread, 0.0, above=True)
    return math.exp(ratio - float(np.euler_gamma))


def sexual_information(loci: int, generations: int) -> FloatArray:
    """Share of right loci under truncation of the better half with recombination (result T20).

    f(t) = (1 + sin(eta t/sqrt(G)))/2 from one half, eta = sqrt(2/(pi + 2)), until all are right.

    Parameters
    ----------
    loci : int
        G >= 1.
    generations : int
        T >= 0.

    Returns
    -------
    (T + 1,) float64
        f(0), ..., f(T).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    root = math.sqrt(_checks.integer("loci", loci, 1))
    t = np.arange(_checks.integer("generations", generations, 0) + 1)
    angle = np.minimum(math.sqrt(2.0 / (math.pi + 2.0)) * t / root, math.pi / 2.0)
    return np.asarray(0.5 * (1.0 + np.sin(angle)))
