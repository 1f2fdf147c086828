"""Oracles: exact and classical results that evosim, or your own simulator, must reproduce.

Plain NumPy and SciPy in float64; nothing here imports the engine. Each function's docstring
gives its paper, equation, shapes and units, and invalid input raises ValueError. Functions
called approximations are lines to plot; test a simulator against the exact ones.

- `chains`, `absorption`: finite populations through their transition matrices.
- `diffusion`: Kimura's fixation, Kimura-Ohta times, branching processes.
- `selection`, `price`, `quantitative`: recursions, partitions, response to selection.
- `quasispecies`, `gaussian_peaks`, `needle`: mutation, peaks and waiting times.
- `trajectories`, `learning`, `lockin`: expected updates of learners, exploration that ends.
- `exploration`, `hotstove`, `credit`, `frozen`: what learners find, shun, credit and unlearn.
- `aliasing`: the best return, and the best that percepts allow.
- `stopping`, `tails`, `loops`, `rungs`: cutoffs, proxies, costly loops, thresholds of scenarios.
"""

from evosim.oracles.absorption import (
    Times,
    absorption_time,
    birth_death_fixation,
    conditional_fixation_time,
    fixation_probability,
    moran_fixation,
)
from evosim.oracles.aliasing import (
    MAX_POLICIES,
    ClassOptimum,
    class_optimum,
    optimal_return,
)
from evosim.oracles.chains import (
    MAX_DIPLOID_AGENTS,
    birth_death_matrix,
    diploid_genotype_matrix,
    expected_heterozygosity,
    heterozygosity_decay,
    moran_matrix,
    moran_rates,
    wright_fisher_diploid_matrix,
    wright_fisher_matrix,
)
from evosim.oracles.credit import (
    credit_values,
    credit_weights,
)
from evosim.oracles.diffusion import (
    establishment_probability,
    kimura_fixation,
    kimura_ohta_absorption_time,
    kimura_ohta_fixation_sd,
    kimura_ohta_fixation_time,
)
from evosim.oracles.exploration import (
    entropy_approach_rate,
    entropy_fixed_point,
    epsilon_greedy_hit,
    epsilon_greedy_hit_time,
    outer_loop_found,
    single_never_hit,
    softmax_gradient_flow,
    softmax_gradient_gap,
)
from evosim.oracles.frozen import (
    frozen_probability,
    reflex_frozen,
    reflex_turns,
)
from evosim.oracles.gaussian_peaks import (
    Moments,
    gaussian_crossing,
    gaussian_peak_growth,
    stabilising_step,
    stabilising_variance,
)
from evosim.oracles.hotstove import (
    full_feedback_choice,
    greedy_lock_in,
    hot_stove_choice,
)
from evosim.oracles.learning import (
    cross_expected_change,
    cross_update,
    optimal_baseline,
    policy_gradient,
    reinforce_expected_update,
    reinforce_update,
    reinforce_variance,
    span_residual,
)
from evosim.oracles.lockin import (
    cross_never_explores,
    default_margins,
    key_ever_hit_log,
    key_never_hit,
    key_never_hit_life,
    reward_inaction_absorption,
    reward_inaction_absorption_exact,
    softmax_gradient_logit,
    softmax_gradient_time,
)
from evosim.oracles.loops import (
    MAX_TRAIT_GRID,
    LoopMoments,
    gamma_odds,
    hyperbolic_odds,
    loop_trait_moments,
    loop_value,
    power_up_threshold,
)
from evosim.oracles.needle import (
    MAX_GENERATIONS,
    MAX_STATES,
    class_chain_deterministic_time,
    class_chain_hit,
    class_chain_waiting_time,
    needle_waiting_log,
    needle_waiting_time,
)
from evosim.oracles.price import (
    Price,
    TwoLevelPrice,
    covariance,
    parental_means,
    price_partition,
    price_two_level,
)
from evosim.oracles.quantitative import (
    breeders_response,
    expected_maximum,
    finite_truncation_intensity,
    lande_response,
    selection_gradient,
    threshold_clonal,
    threshold_constant_variance,
    threshold_infinitesimal,
    truncation_intensity,
)
from evosim.oracles.quasispecies import (
    Quasispecies,
    error_class_matrix,
    error_threshold,
    master_frequency,
    network_neutrality,
    peak_growth,
    quasispecies,
    shoulder_crossing,
    shoulder_growth,
    single_peak,
    two_peak_crossing,
)
from evosim.oracles.rungs import (
    siege_region,
    steering_gain,
    trust_gain,
)
from evosim.oracles.selection import (
    diploid_step,
    fundamental_theorem,
    haploid_frequency,
    haploid_step,
    multiplicative_weights,
    selection_time,
)
from evosim.oracles.stopping import (
    Cutoff,
    secretary_optimum,
    secretary_success,
)
from evosim.oracles.tails import (
    best_by_proxy,
    selected_correlation,
)
from evosim.oracles.trajectories import (
    MAX_TRAJECTORIES,
    TabularWorld,
    Trajectories,
    action_values,
    enumerate_trajectories,
    expected_return,
    policy_of,
    softmax_policy,
)

__all__ = [
    "MAX_DIPLOID_AGENTS",
    "MAX_GENERATIONS",
    "MAX_POLICIES",
    "MAX_STATES",
    "MAX_TRAIT_GRID",
    "MAX_TRAJECTORIES",
    "ClassOptimum",
    "Cutoff",
    "LoopMoments",
    "Moments",
    "Price",
    "Quasispecies",
    "TabularWorld",
    "Times",
    "Trajectories",
    "TwoLevelPrice",
    "absorption_time",
    "action_values",
    "best_by_proxy",
    "birth_death_fixation",
    "birth_death_matrix",
    "breeders_response",
    "class_chain_deterministic_time",
    "class_chain_hit",
    "class_chain_waiting_time",
    "class_optimum",
    "conditional_fixation_time",
    "covariance",
    "credit_values",
    "credit_weights",
    "cross_expected_change",
    "cross_never_explores",
    "cross_update",
    "default_margins",
    "diploid_genotype_matrix",
    "diploid_step",
    "entropy_approach_rate",
    "entropy_fixed_point",
    "enumerate_trajectories",
    "epsilon_greedy_hit",
    "epsilon_greedy_hit_time",
    "error_class_matrix",
    "error_threshold",
    "establishment_probability",
    "expected_heterozygosity",
    "expected_maximum",
    "expected_return",
    "finite_truncation_intensity",
    "fixation_probability",
    "frozen_probability",
    "full_feedback_choice",
    "fundamental_theorem",
    "gamma_odds",
    "gaussian_crossing",
    "gaussian_peak_growth",
    "greedy_lock_in",
    "haploid_frequency",
    "haploid_step",
    "heterozygosity_decay",
    "hot_stove_choice",
    "hyperbolic_odds",
    "key_ever_hit_log",
    "key_never_hit",
    "key_never_hit_life",
    "kimura_fixation",
    "kimura_ohta_absorption_time",
    "kimura_ohta_fixation_sd",
    "kimura_ohta_fixation_time",
    "lande_response",
    "loop_trait_moments",
    "loop_value",
    "master_frequency",
    "moran_fixation",
    "moran_matrix",
    "moran_rates",
    "multiplicative_weights",
    "needle_waiting_log",
    "needle_waiting_time",
    "network_neutrality",
    "optimal_baseline",
    "optimal_return",
    "outer_loop_found",
    "parental_means",
    "peak_growth",
    "policy_gradient",
    "policy_of",
    "power_up_threshold",
    "price_partition",
    "price_two_level",
    "quasispecies",
    "reflex_frozen",
    "reflex_turns",
    "reinforce_expected_update",
    "reinforce_update",
    "reinforce_variance",
    "reward_inaction_absorption",
    "reward_inaction_absorption_exact",
    "secretary_optimum",
    "secretary_success",
    "selected_correlation",
    "selection_gradient",
    "selection_time",
    "shoulder_crossing",
    "shoulder_growth",
    "siege_region",
    "single_never_hit",
    "single_peak",
    "softmax_gradient_flow",
    "softmax_gradient_gap",
    "softmax_gradient_logit",
    "softmax_gradient_time",
    "softmax_policy",
    "span_residual",
    "stabilising_step",
    "stabilising_variance",
    "steering_gain",
    "threshold_clonal",
    "threshold_constant_variance",
    "threshold_infinitesimal",
    "truncation_intensity",
    "trust_gain",
    "two_peak_crossing",
    "wright_fisher_diploid_matrix",
    "wright_fisher_matrix",
]
