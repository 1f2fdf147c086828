"""How much memory a run needs, estimated before it starts."""

from __future__ import annotations

from evosim.scenario import Scenario

#: What Python, the compiled kernels and the table libraries take by themselves.
BASE = 350_000_000


def estimate_memory(scenario: Scenario) -> int:
    """Return the bytes a run needs at its largest moment.

    One arm lives at a time: genomes twice (now and next), payoffs, the pedigree, tracked acts,
    learned state; the recorded rows of all arms add up.
    """
    from evosim.resolve import resolve
    from evosim.scenario.biology import Replay
    from evosim.simulate import ROWS, recording_interval

    worst = 0
    rows = 0
    for cell in scenario.arms():
        model = cell.model
        resolved = resolve(model)
        layout, tables, mind = resolved.layout, resolved.tables, resolved.mind
        room = model.population.agents
        if resolved.selection.kind == "density":
            room = model.population.limit or 4 * room
        agents = room * model.population.replicates
        loci = layout.ploidy * (4 * layout.real_loci + 8 * layout.words)
        each = 2 * loci + 8 * 4 + 4 * 3 + 24
        if resolved.expresses:
            each += 4 * layout.real_loci
        if tables is not None and mind is not None:
            each += 4 * resolved.tracked.percept.size * tables.actions
            if mind.rule:
                values = max(
                    int(mind.policy[1] - mind.policy[0]), tables.cues.shape[1] * tables.actions
                )
                each += 16 * values + 16 * tables.start.size
        generations = model.population.generations
        if isinstance(model.selection, Replay):
            worst = max(worst, agents * generations * 8)
        worst = max(worst, agents * each)
        recorded = min(generations, generations // recording_interval(model) + ROWS // 10 + 2)
        quantities = layout.real_loci + layout.bit_loci + 3 * resolved.tracked.percept.size + 30
        rows += model.population.replicates * recorded * quantities * 150
    return BASE + worst + rows
