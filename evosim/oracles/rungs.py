"""Thresholds that decide which behaviour is selected in the worlds of S53-S55; derived there."""

from evosim.oracles import _checks


def siege_region(
    stall_payoff: float, turns: float, attack_turns: float, win_first: float, win_practised: float
) -> int:
    """Whether an agent stalls, locks itself out of winning, or learns to win a siege (S53).

    Quiet play returns f beta T, an attack f beta tau + pi, where the chance of winning pi grows
    with practice from pi_0 to pi_inf. Region 1, f beta (T - tau) > pi_inf: stalling is best.
    Region 3, f beta (T - tau) < pi_0: attacks pay at once. Region 2, between them: lock-in,
    since winning would be best, but a first attack loses.

    Parameters
    ----------
    stall_payoff : float
        f beta >= 0: fraction of games in novice mode times payoff per quiet turn.
    turns, attack_turns : float
        T, length of a game, and tau <= T, quiet turns that an attacker still has.
    win_first, win_practised : float
        pi_0 <= pi_inf, expected payoff of winning at the first attack and after practice.

    Returns
    -------
    int
        1, 2 or 3; equalities count as region 2.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    stall = _checks.number("stall_payoff", stall_payoff, 0.0)
    length = _checks.number("turns", turns, 0.0)
    first = _checks.number("win_first", win_first)
    practised = _checks.number("win_practised", win_practised, first)
    advantage = stall * (length - _checks.number("attack_turns", attack_turns, 0.0, length))
    if advantage > practised:
        return 1
    return 3 if advantage < first else 2


def steering_gain(rating_steered: float, rating_native: float, cost: float) -> float:
    """Gain of steering a session to another language (S54): r_EN - c - r_ZH.

    Parameters
    ----------
    rating_steered, rating_native : float
        Predicted ratings of the session after steering, r_EN, and without it, r_ZH.
    cost : float
        c >= 0, per steer, in units of rating.

    Returns
    -------
    float
        Gain per session; steering is selected iff it is positive.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    gain = _checks.number("rating_steered", rating_steered)
    gain -= _checks.number("cost", cost, 0.0)
    return gain - _checks.number("rating_native", rating_native)


def trust_gain(danger: float, harm: float, benefit: float) -> float:
    """Gain of trusting a warning over ignoring it (S55): v h - (1 - v) b.

    Parameters
    ----------
    danger : float
        v in [0, 1], probability that a warning is true.
    harm : float
        h >= 0, cost of contact with a truly harmful topic.
    benefit : float
        b >= 0, payoff of contact with a harmless one.

    Returns
    -------
    float
        Gain per warned contact; trust invades iff it is positive, that is v > b/(h + b).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    v = _checks.probability("danger", danger)
    saved = v * _checks.number("harm", harm, 0.0)
    return saved - (1.0 - v) * _checks.number("benefit", benefit, 0.0)
