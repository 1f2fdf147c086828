"""The tables of a run with the names of everything that claims may measure in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from evosim.claims.names import CONTEXT, KEYS, LEDGER


@dataclass(frozen=True)
class Indexed:
    """The tables of a run, made ready for many claims.

    Attributes
    ----------
    trajectory, contexts, assays, scores : DataFrame
        As in the run; empty if it has none.
    ledger : DataFrame
        With a column `address`: the quantity as claims name it.
    names : list of str
        Every plain measure, sorted.
    """

    trajectory: pd.DataFrame
    contexts: pd.DataFrame
    assays: pd.DataFrame
    scores: pd.DataFrame
    ledger: pd.DataFrame
    names: list[str]


def index_tables(tables: Any) -> Indexed:
    """Make the tables of a run ready for many claims; what is ready already is returned.

    Parameters
    ----------
    tables : object
        With DataFrames `trajectory`, `contexts`, `assays`, `ledger`, `scores` as attributes;
        those that are absent count as empty.
    """
    if isinstance(tables, Indexed):
        return tables
    found = {name: getattr(tables, name, None) for name in _TABLES}
    frames = {n: f if isinstance(f, pd.DataFrame) else pd.DataFrame() for n, f in found.items()}
    if "kind" in frames["ledger"]:
        frames["ledger"] = frames["ledger"].assign(address=_addresses(frames["ledger"]))
    return Indexed(**frames, names=_names(**frames))


_TABLES = ("trajectory", "contexts", "assays", "scores", "ledger")


def _addresses(ledger: pd.DataFrame) -> pd.Categorical[str]:
    """Name each ledger row's quantity as claims do.

    ``QUANTITY`` for genes and indices of the whole population, ``logit:PERCEPT:ACTION``,
    ``act:CONTEXT:PERCEPT:ACTION``; empty for rows that claims do not address.
    """
    keys = ["kind", "quantity", "context", "percept", "action"]
    groups = ledger.groupby(keys, sort=False, dropna=False, observed=True)
    part = ledger[keys].drop_duplicates().fillna("").astype(str)
    whole = part["context"] == ""
    name = part["quantity"].where(part["kind"].isin(["gene", "index"]) & whole, "")
    logit = "logit:" + part["percept"] + ":" + part["action"]
    act = "act:" + part["context"] + ":" + part["percept"] + ":" + part["action"]
    name = name.mask((part["kind"] == "logit") & whole, logit).mask(part["kind"] == "act", act)
    codes, categories = pd.factorize(name.to_numpy(dtype=object))
    rows = codes[groups.ngroup().to_numpy()]
    return pd.Categorical.from_codes(rows, pd.Index([str(c) for c in categories]))


def _names(
    trajectory: pd.DataFrame,
    contexts: pd.DataFrame,
    assays: pd.DataFrame,
    scores: pd.DataFrame,
    ledger: pd.DataFrame,
) -> list[str]:
    names = {str(column) for column in trajectory.columns} - set(KEYS)
    if "assay" in assays:
        names.update(f"assay.{name}" for name in assays["assay"].unique())
    if "context" in contexts:
        columns = [c for c in CONTEXT if c in contexts]
        names.update(f"context.{n}.{c}" for n in contexts["context"].unique() for c in columns)
    if "address" in ledger:
        quantities = set(ledger["address"].cat.categories) - {""}
        names.update(f"ledger.{q}.{c}" for q in quantities for c in LEDGER if c in ledger)
    if "predictor" in scores:
        parts = ["", ".training", *([".skill"] if "skill" in scores else [])]
        names.update(f"score.{p}{part}" for p in scores["predictor"].unique() for part in parts)
    return sorted(names)


def available_measures(tables: Any) -> list[str]:
    """List every plain measure that the tables of a run hold.

    Parameters
    ----------
    tables : object
        As `index_tables`.

    Returns
    -------
    list of str
        Sorted.
    """
    return index_tables(tables).names
