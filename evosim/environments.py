"""Worlds of scenarios as Gymnasium environments, for the algorithms of other libraries.

What an agent perceives is the observation, what selection counts (or the designer wants) the
reward. The dynamics are the very tables that the life kernels read; only the draws are others:
they come from the environment's own generator, `np_random`, as Gymnasium wants it.

Only this module and the builder of worlds of kind `gymnasium` import gymnasium.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evosim.errors import UserError, did_you_mean, missing_extra
from evosim.scenario import Scenario, segments
from evosim.scenario.model import ScenarioModel
from evosim.walker import Walker, drawn
from evosim.worlds.parts import cumulative
from evosim.worlds.tabular import TabularWorld

if TYPE_CHECKING:
    import gymnasium
else:
    try:
        import gymnasium
    except ImportError:
        raise missing_extra("gymnasium", "gymnasium") from None

#: What `gymnasium.make` calls it.
ID, ENTRY = "evosim/World-v0", "evosim.environments:gymnasium_env"
if ID not in gymnasium.registry:
    gymnasium.register(ID, entry_point=ENTRY)

Graded = Literal["payoff", "reward", "goal"]
Observed = Literal["percept", "cues"]


def gymnasium_env(
    scenario: str | Path | Scenario,
    *,
    context: str | None = None,
    arm: str | None = None,
    reward: Graded = "payoff",
    observation: Observed = "percept",
    render_mode: Literal["ansi"] | None = None,
    **overrides: Any,
) -> TabularEnv:
    """Return the world of a scenario as a `gymnasium.Env`.

    ``gymnasium.make("evosim.environments:evosim/World-v0", scenario=..., ...)`` does the same
    behind Gymnasium's usual wrappers, and ``gymnasium.make_vec`` several at once.

    Parameters
    ----------
    scenario : path or Scenario
        With a world of any kind but `landscape`.
    context : str, optional
        All episodes take place in it; also one that training never has. Default: contexts are
        drawn by their training frequencies (and blocks), as in the scenario.
    arm : str, optional
        Label of the arm; default: the file's own, or the first.
    reward : {"payoff", "reward", "goal"}
        Which of the three `step` returns: what selection counts, what agents' own learning rule
        receives, or what the designer wants. `info` holds all three.
    observation : {"percept", "cues"}
        The number of the percept (`Discrete`), or its cues (`Box` of float32). In terminal states
        nothing is perceived: one number more, or zeros.
    render_mode : "ansi", optional
        `render` returns the place as text.
    **overrides
        As in `evosim.run`, e.g. ``set={"world.slip": 0.1}``.

    Returns
    -------
    TabularEnv

    Raises
    ------
    UserError
        Gymnasium is missing, the world has no states, or a name does not exist.
    """
    from evosim.api import prepare

    chosen: dict[str, Any] = {
        "context": context,
        "reward": reward,
        "observation": observation,
        "render_mode": render_mode,
    }
    cell = prepare(scenario, overrides).cell(arm)
    env = TabularEnv(segments(cell.model)[0].model, **chosen)
    given = {"scenario": scenario, "arm": arm, **chosen, **overrides}
    env.spec = gymnasium.envs.registration.EnvSpec(ID, entry_point=ENTRY, kwargs=given)
    return env


class TabularEnv(gymnasium.Env[Any, np.int64]):  # type: ignore[misc]
    """A world of states, as agents of a scenario live in it.

    An episode ends (`terminated`) in a terminal state and is cut (`truncated`) after the world's
    `steps`; where it has a single step, that ends it. A life has `episodes` episodes: what is paid
    once, or drawn once a life, starts anew after as many resets, and with every reset that gets a
    seed.

    Parameters
    ----------
    model : ScenarioModel
        Of one arm, with the parameters of its start.
    context, reward, observation, render_mode
        See `gymnasium_env`.

    Attributes
    ----------
    world : TabularWorld
        Labels and tables.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)

    def __init__(
        self,
        model: ScenarioModel,
        *,
        context: str | None = None,
        reward: Graded = "payoff",
        observation: Observed = "percept",
        render_mode: Literal["ansi"] | None = None,
    ) -> None:
        _one_of("reward", reward, get_args(Graded))
        _one_of("observation", observation, get_args(Observed))
        if render_mode is not None:
            _one_of("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self._walker = Walker(model)
        self.world = world = self._walker.world
        self._ends, frequency = _contexts(world, context)
        self._cdf = cumulative(frequency)
        self._graded, self._observed = reward, observation
        percepts, cues = world.percept_cue.shape
        self._cues = np.vstack([world.percept_cue, np.zeros((1, cues), np.float32)])
        self.action_space = gymnasium.spaces.Discrete(len(world.actions))
        if observation == "percept":
            self.observation_space = gymnasium.spaces.Discrete(percepts + 1)
        else:
            low, high = self._cues.min(axis=0), self._cues.max(axis=0)
            self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self._episode = -1
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode of a life; with a seed, the first of a new one."""
        super().reset(seed=seed)
        self._episode += 1
        if seed is not None or self._episode % self.world.episodes == 0:
            self._episode = 0
            self._paid = self._walker.flags()
        if self._episode == 0 or not self._walker.tables.one_context:
            block = drawn(self._ends, self._episode)
            self._variant = drawn(self._cdf[block], self.np_random.random())
        self._state = self._walker.begin(self._variant, self.np_random.random())
        self._step, self._over = 0, False
        return self._observation(), self._info(0.0, 0.0, 0.0)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act once."""
        if self._over:
            raise gymnasium.error.ResetNeeded("the episode is over: call reset()")
        act = int(action)
        if not 0 <= act < len(self.world.actions):
            raise gymnasium.error.InvalidAction(f"no action {action}")
        u = self.np_random.random()
        moved = self._walker.move(self._variant, self._state, act, u, self._paid)
        self._state, self._step = moved.state, self._step + 1
        ended = moved.ended or self.world.steps == 1
        cut = not ended and self._step >= self.world.steps
        self._over = ended or cut
        info = self._info(moved.payoff, moved.reward, moved.goal)
        return self._observation(ended), info[self._graded], ended, cut, info

    def render(self) -> str | None:
        """Return the agent's place as text: its map, or the name of the state."""
        if self.render_mode is None:
            return None
        world = self.world
        if not world.layout or world.position is None:
            return world.states[self._state]
        rows = list(world.layout[world.variant_context[self._variant]])
        x, y = world.position[self._state].tolist()
        rows[y] = f"{rows[y][:x]}@{rows[y][x + 1 :]}"
        return "\n".join(rows)

    def _observation(self, ended: bool = False) -> Any:
        percept = len(self._cues) - 1
        if not ended:
            percept = int(self.world.percept[self._variant, self._state])
        return np.int64(percept) if self._observed == "percept" else self._cues[percept].copy()

    def _info(self, payoff: float, reward: float, goal: float) -> dict[str, Any]:
        world = self.world
        return {
            "payoff": payoff,
            "reward": reward,
            "goal": goal,
            "context": world.contexts[world.variant_context[self._variant]],
            "state": world.states[self._state],
            "episode": self._episode,
        }


def _contexts(
    world: TabularWorld, context: str | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where each block of a life ends, and frequencies of the variants in it."""
    if context is None:
        return world.blocks()
    _one_of("context", context, world.contexts)
    named = np.array([float(name == context) for name in world.contexts])
    return np.array([world.episodes]), world.variant_frequency(named)[None]


def _one_of(what: str, value: Any, known: Any) -> None:
    if value not in known:
        raise UserError(
            f"no {what} '{value}'",
            key=what,
            allowed=", ".join(known),
            hint=did_you_mean(str(value), known),
        )
