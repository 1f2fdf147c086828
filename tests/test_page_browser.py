"""The page in a real browser; `make test-browser` installs one and demands it."""

from __future__ import annotations

import os
import time

import page_case
import pytest

from evosim.scenario import Scenario

pytestmark = pytest.mark.browser
LACKS = page_case.missing()
FILE = page_case.ROOT / "tests" / "data" / "coinrun.toml"
KEY = "selection.fitness.exponential"


@pytest.fixture
def browser(tmp_path):
    if LACKS:
        assert not os.environ.get("EVOSIM_BROWSER"), f"the browser test lacks {LACKS}"
        pytest.skip(f"no browser test: {LACKS} not installed (make test-browser installs them)")
    made = page_case.Browser(tmp_path / "profile")
    yield made
    made.close()


def reset(browser):
    """Press the button; return what the table then says of the slider's key."""
    browser.press("Reset")
    browser.wait(lambda: KEY in browser.numbers())
    time.sleep(0.5)
    return float(browser.numbers()[KEY])


def test_load_move_a_slider_and_live_twenty_generations(browser):
    from evosim import EvoModel

    with page_case.served(str(FILE), "--set", "population.agents=60") as address:
        browser.open(address)
        assert browser.numbers()["generation"] == "-1"
        for name in ("Reset", "Step", KEY, "moment of the episode", "coin right"):
            assert name.lower() in browser.text().lower()
        browser.push(KEY, 30)  # steps of 0.1
        # The page tells the server the slider's last place once earlier ones are answered: a reset
        # pressed at once may come before it.
        browser.wait(lambda: reset(browser) == 5.0)
        assert f"{KEY} = 5" in browser.text()  # the slider tells where it stands
        for g in range(20):
            browser.press("Step")
            browser.wait(lambda g=g: browser.numbers()["generation"] == str(g))
        numbers = browser.numbers()
        pictures = browser.driver.execute_script(
            "return [...document.querySelectorAll('img')].filter(i => i.naturalWidth > 100).length"
        )
        ledger = browser.table("ledger")
        assert browser.errors() == []
        assert browser.hosts() == {"127.0.0.1"}
    assert float(numbers[KEY]) == 5.0
    assert pictures == 3
    scenario = Scenario.load(FILE).override({"population.agents": 60})
    models = {value: EvoModel(file=scenario, replicate=0, **{KEY: value}) for value in (2.0, 5.0)}
    for model in models.values():
        for _ in range(20):
            model.step()
    moved, usual = models[5.0], models[2.0]
    assert numbers["payoff"] == f"{moved.payoff:.4g}" != f"{usual.payoff:.4g}"
    first = moved.ledger_frame().query("quantity == @ledger[0][0]").iloc[0]
    assert ledger[0][1:] == [
        f"{first[name]:.4g}" for name in ("before", "selection", "transmission", "after")
    ]
