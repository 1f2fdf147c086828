"""Combinations of genome, mind, selection and reproduction that cannot work or do nothing."""

from __future__ import annotations

from collections.abc import Iterable

from evosim.errors import UserError, did_you_mean
from evosim.scenario.biology import Gene
from evosim.scenario.keys import join_key
from evosim.scenario.kinds import user_parts
from evosim.scenario.minds import PlannerMind, ReflexMind, UserMind
from evosim.scenario.model import ScenarioModel
from evosim.scenario.world import LandscapeWorld

#: Genes without any effect, for drift: names that begin with one of these.
NEUTRAL = ("neutral", "marker")


def check_biology(model: ScenarioModel, extra_genes: Iterable[str] = ()) -> None:
    """Check genome, mind, selection and reproduction against each other and the world.

    Parameters
    ----------
    model : ScenarioModel
        Of one arm.
    extra_genes : iterable of str
        Further genes that something reads.

    Raises
    ------
    UserError
        With the key and what is allowed.
    """
    if isinstance(model.world, LandscapeWorld):
        _check_landscape_gene(model.world, model)
    _check_read_genes(model, tuple(extra_genes))
    _check_policy(model)
    for name, gene in model.genome.items():
        _check_kind(name, gene, model)
        _check_initial(name, gene, model)
    if isinstance(model.world, LandscapeWorld):
        _check_landscape(model.world, model)
    _check_directions(model)
    _check_learning(model)
    _check_reproduction(model)
    _check_selection(model)


def locus_count(name: str, model: ScenarioModel) -> int | None:
    """Return the number of loci of a gene, or None where it takes a built world to know.

    Without `loci` a policy has as many as the mind needs, a landscape's gene as many as the
    landscape's longest list (or its peaks) needs, any other gene one.
    """
    gene = model.genome[name]
    if gene.loci is not None:
        return gene.loci
    world = model.world
    if isinstance(world, LandscapeWorld) and name == world.gene:
        lists = [v for v in (world.weights, world.optimum, world.width) if isinstance(v, list)]
        return max([1, *map(len, lists), *(peak.essential for peak in world.peaks)])
    if isinstance(model.mind, PlannerMind) and name == "utility":
        return max(1, len(model.mind.features))
    needs_world = name in ("policy", "misjudgement")
    is_built_in = not isinstance(model.mind, UserMind) and not needs_world
    return 1 if is_built_in or name.startswith(NEUTRAL) else None


def _check_landscape_gene(world: LandscapeWorld, model: ScenarioModel) -> None:
    if world.shape != "flat" and world.gene not in model.genome:
        raise UserError(
            f"there is no gene '{world.gene}'",
            key="world.gene",
            allowed=", ".join(model.genome) or f"the name of a table [genome.{world.gene}]",
            hint=did_you_mean(world.gene, model.genome),
        )


def _check_policy(model: ScenarioModel) -> None:
    is_reflex = isinstance(model.mind, ReflexMind) and not isinstance(model.world, LandscapeWorld)
    if is_reflex and "policy" not in model.genome:
        raise UserError(
            "a reflex mind acts by the gene 'policy', and there is none",
            key="genome",
            allowed="a table [genome.policy]",
        )


def _check_read_genes(model: ScenarioModel, extra: tuple[str, ...]) -> None:
    if user_parts(model):
        return
    is_landscape = isinstance(model.world, LandscapeWorld)
    known = list(getattr(model.mind, "genes", ()))
    if isinstance(model.world, LandscapeWorld):
        known = [model.world.gene] if model.world.shape != "flat" else []
    known += [*extra, *NEUTRAL]
    for name in model.genome:
        if name not in known and not name.startswith(NEUTRAL):
            raise UserError(
                f"nothing in this {'landscape' if is_landscape else 'mind'} reads this gene",
                key=join_key(["genome", name]),
                allowed=f"{', '.join(known)} (neutral and marker with any ending)",
                hint=did_you_mean(name, known),
            )


def _check_kind(name: str, gene: Gene, model: ScenarioModel) -> None:
    if gene.kind != "bits" or name.startswith(NEUTRAL) or user_parts(model):
        return
    if model.knowledge is not None and name == model.knowledge.gene:
        return
    if not (isinstance(model.world, LandscapeWorld) and name == model.world.gene):
        raise UserError(
            "bits are for the gene of a landscape, innate knowledge and neutral markers",
            key=join_key(["genome", name, "kind"]),
            allowed="'real'",
        )


def _check_initial(name: str, gene: Gene, model: ScenarioModel) -> None:
    key = join_key(["genome", name, "initial"])
    initial = gene.initial
    values = initial.value if isinstance(initial.value, list) else []
    loci = locus_count(name, model)
    if isinstance(initial.value, list) and loci is not None and len(values) != loci:
        raise UserError(
            f"{len(values)} values for {loci} loci",
            key=f"{key}.value",
            allowed="one number, or one per locus",
        )
    single = [] if isinstance(initial.value, list) or initial.value is None else [initial.value]
    given = [*values, *single, *(initial.values or [])]
    if gene.kind == "bits" and any(value not in (0.0, 1.0) for value in given):
        raise UserError("bits are 0 or 1", key=key, allowed="values 0 and 1")
    ranges = [*given, *(initial.uniform or []), *(initial.normal or [])[:1]]
    if gene.bounds and not all(gene.bounds[0] <= v <= gene.bounds[1] for v in ranges):
        raise UserError(
            "starts outside the gene's bounds",
            key=key,
            allowed=f"values from {gene.bounds[0]:g} to {gene.bounds[1]:g}",
        )


def _check_landscape(world: LandscapeWorld, model: ScenarioModel) -> None:
    gene = model.genome.get(world.gene, Gene())
    loci = locus_count(world.gene, model) if world.gene in model.genome else None
    for key, read_by in (
        ("weights", ("linear", "threshold")),
        ("optimum", ("quadratic",)),
        ("width", ("quadratic",)),
        ("threshold", ("threshold",)),
        ("noise", ("linear", "threshold")),
        ("peaks", ("peaks",)),
    ):
        value = getattr(world, key)
        default = type(world).model_fields[key].get_default(call_default_factory=True)
        if world.shape not in read_by and value != default:
            raise UserError(
                f"shape '{world.shape}' does not read it",
                key=f"world.{key}",
                allowed=f"with shape {' or '.join(read_by)}",
            )
        if key != "peaks" and isinstance(value, list) and len(value) != loci:
            raise UserError(
                f"{len(value)} values for {loci} loci of gene '{world.gene}'",
                key=f"world.{key}",
                allowed="one number, or one per locus",
            )
    if world.shape == "peaks":
        _check_peaks(world, gene, loci or 1)
    elif gene.kind == "bits" and world.shape not in ("linear", "flat"):
        raise UserError(
            f"shape '{world.shape}' reads real numbers",
            key="world.shape",
            allowed="'linear' or 'peaks' with a gene of bits",
        )


def _check_peaks(world: LandscapeWorld, gene: Gene, loci: int) -> None:
    if gene.kind != "bits":
        raise UserError(
            "shape 'peaks' reads bits",
            key=join_key(["genome", world.gene, "kind"]),
            allowed="'bits'",
        )
    if not world.peaks:
        raise UserError(
            "shape 'peaks' has no peaks",
            key="world.peaks",
            allowed="at least one { height = ..., value = 0 or 1, essential = ... }",
        )
    for index, peak in enumerate(world.peaks):
        if peak.essential > loci:
            raise UserError(
                f"{peak.essential} essential loci, but gene '{world.gene}' has {loci}",
                key=f"world.peaks.{index}.essential",
                allowed=f"1 to {loci}",
            )


def _check_learning(model: ScenarioModel) -> None:
    mind = model.mind
    if not isinstance(mind, ReflexMind):
        _check_lives(model)
        return
    if isinstance(model.world, LandscapeWorld) and mind.learning != "none":
        raise UserError(
            "nothing is learned in a landscape: there is no life to learn in",
            key="mind.learning",
            allowed="'none'",
        )
    if mind.learning == "none" and mind.learning_rate > 0:
        raise UserError(
            "does nothing without learning",
            key="mind.learning_rate",
            allowed="learning = 'reinforce' or 'cross', or no learning_rate",
        )
    if mind.learning != "none" and mind.learning_rate == 0 and "learning_rate" not in model.genome:
        raise UserError(
            f"'{mind.learning}' learns nothing without a learning rate",
            key="mind.learning",
            allowed="mind.learning_rate above 0, or a gene learning_rate",
        )


def _check_lives(model: ScenarioModel) -> None:
    """Refuse minds that need a life to decide in, where there is none."""
    mind = model.mind
    if isinstance(model.world, LandscapeWorld):
        raise UserError(
            "nothing is decided in a landscape",
            key="mind.kind",
            allowed="no [mind]",
        )
    if isinstance(mind, PlannerMind) and not mind.features and "utility" in model.genome:
        raise UserError(
            "a gene 'utility' weighs features, and there are none",
            key="genome.utility",
            allowed="with mind.features = { NAME = { STATE = 1 } }",
        )
    if isinstance(mind, PlannerMind) and mind.features and "utility" not in model.genome:
        raise UserError(
            "features are weighed by a gene 'utility', and there is none",
            key="mind.features",
            allowed="a table [genome.utility]",
        )


def _check_directions(model: ScenarioModel) -> None:
    """Refuse directions of genes that are none, or of another length than their reference."""
    for name, vector in model.ledger.directions.items():
        key = f"ledger.directions.{name}"
        real = [gene for gene, spec in model.genome.items() if spec.kind == "real"]
        if name not in real:
            raise UserError(
                f"there is no gene of real loci called '{name}'",
                key=key,
                allowed=", ".join(real) or "none",
                hint=did_you_mean(name, real),
            )
        count = locus_count(name, model)
        if count is not None and count != len(vector):
            raise UserError(f"{len(vector)} numbers for {count} loci", key=key, allowed=str(count))


def _check_reproduction(model: ScenarioModel) -> None:
    reproduction, recombining = model.reproduction, model.reproduction.kind == "recombining"
    if model.population.ploidy == 2 and not recombining:
        raise UserError(
            "two haplotypes need two parents",
            key="population.ploidy",
            allowed="1, or reproduction.kind = 'recombining'",
        )
    if not recombining:
        if reproduction.recombination != "free":
            raise UserError(
                "does nothing in clonal reproduction",
                key="reproduction.recombination",
                allowed="with reproduction.kind = 'recombining'",
            )
        return
    if reproduction.recombination != "midparent":
        return
    if model.population.ploidy == 2:
        raise UserError(
            "the parents' mean has no haplotypes",
            key="reproduction.recombination",
            allowed="'free' or 'one-point' with ploidy 2",
        )
    for name, gene in model.genome.items():
        if gene.kind == "bits":
            raise UserError(
                f"bits have no mean (gene '{name}')",
                key="reproduction.recombination",
                allowed="'free' or 'one-point' with genes of bits",
            )


def _check_reward_model(model: ScenarioModel) -> None:
    """Refuse a reward model that nothing would be predicted by."""
    fitted = model.selection.model
    if fitted is None:
        return
    if model.world.kind == "landscape":
        raise UserError(
            "a landscape has no episodes whose outcomes could be told apart",
            key="selection.model",
            allowed="worlds with states and actions",
        )
    if model.selection.kind == "replay":
        raise UserError(
            "replayed parents are chosen by no criterion",
            key="selection.model",
            allowed="any other selection.kind",
        )
    if fitted.audit and not (model.mind.kind == "reflex" and "policy" in model.genome):
        raise UserError(
            "choices at random are those of a policy without preferences",
            key="selection.model.audit",
            allowed="mind.kind = 'reflex' with a gene 'policy'; else 0",
        )


def _check_selection(model: ScenarioModel) -> None:
    selection, population = model.selection, model.population
    _check_reward_model(model)
    if population.limit is not None and population.limit < population.agents:
        raise UserError(
            f"{population.limit} is below the {population.agents} agents at the start",
            key="population.limit",
            allowed=f"a whole number of at least {population.agents}",
        )
    if selection.kind == "moran" and model.reproduction.kind == "recombining":
        raise UserError(
            "a Moran birth has one parent",
            key="reproduction.kind",
            allowed="'clonal' with selection.kind = 'moran'",
        )
    fraction = getattr(selection, "fraction", None) if selection.kind == "truncation" else None
    if fraction is not None and fraction * population.agents < 1:
        raise UserError(
            f"{fraction:g} of {population.agents} agents is less than one parent",
            key="selection.fraction",
            allowed=f"at least {1 / population.agents:g}",
        )
