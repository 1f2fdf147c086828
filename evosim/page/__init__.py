"""The browser page of a scenario: sliders, trajectories, agents in their world, the ledger."""
