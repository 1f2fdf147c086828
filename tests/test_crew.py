"""Ranges of blocks handed to threads: each is done once, whoever looks, sleeps or fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from evosim.kernels import crew
from evosim.kernels.crew import _CREW, WORD, Crew, Job, linger, new_word, run_blocks


def test_every_block_is_worked_on_once_whatever_the_threads():
    for threads in (1, 2, 3, 7):
        for blocks in (0, 1, 2, 5, 13, 14, 15, 100):
            seen = np.zeros(blocks, int)

            def work(first, last, out):
                out[first:last] += 1

            run_blocks(work, blocks, threads, seen)
            assert (seen == 1).all()


def test_the_caller_waits_for_what_helpers_took_before_it_began():
    seen = np.zeros(6, int)

    def work(first, last):
        time.sleep(0.01)
        seen[first:last] += 1

    job = Job(work, (), [(k, k + 1) for k in range(6)])
    _CREW.call(3, job)
    time.sleep(0.005)  # helpers have taken some by now
    job.lead()
    assert (seen == 1).all()


def test_work_goes_on_where_no_thread_is_free():
    """As in a forked process, where the pool's threads are gone: the caller does it all."""
    release = threading.Event()
    seen = np.zeros(8, int)
    blocked = Job(lambda _first, _last: release.wait(30), (), [(0, 1)])
    _CREW.call(1, blocked)
    try:
        while blocked.ranges:
            pass  # until a thread has taken it
        run_blocks(lambda first, last, out: np.add.at(out, range(first, last), 1), 8, 2, seen)
    finally:
        release.set()
    assert (seen == 1).all()
    assert blocked.done.get(timeout=30) is None


def test_an_error_in_any_range_is_raised():
    def fail(first, last):
        if first <= 6 < last:
            raise ValueError("block 6")

    for threads in (1, 2, 4):
        with pytest.raises(ValueError, match="block 6"):
            run_blocks(fail, 16, threads)


def test_who_lingers_reports_what_it_did_and_sees_what_comes():
    done, word = new_word(), new_word()
    linger(done, 3, word, 0, 10, 0)
    assert done[WORD] == 3
    assert done.sum() == 3
    assert not word.any()
    waiting = threading.Thread(target=linger, args=(done, 1, word, 0, 2**62, 5))
    waiting.start()
    time.sleep(0.01)
    assert waiting.is_alive()
    word[WORD] = 1
    waiting.join(30)
    assert not waiting.is_alive()
    assert done[WORD] == 4


def started(monkeypatch, patience):
    """Return a crew with one helper that has done a job and now looks or sleeps."""
    monkeypatch.setattr(crew, "PATIENCE", patience)
    made = Crew()
    job = Job(lambda _first, _last: None, (), [])
    made.call(1, job)
    while not made.jobs.empty():
        time.sleep(0.001)
    return made


def test_a_helper_that_looks_takes_a_job_nobody_woke_it_for(monkeypatch):
    made = started(monkeypatch, 30.0)
    while not made.looking:
        time.sleep(0.001)
    taken = []
    job = Job(lambda first, _last: taken.append(first), (), [(0, 1), (1, 2)])
    made.call(1, job)
    assert made.jobs.empty()
    assert [job.done.get(timeout=30) for _ in range(2)] == [None, None]
    assert taken == [1, 0]
    monkeypatch.setattr(crew, "PATIENCE", 0.0)
    made.call(1, Job(lambda _first, _last: None, (), []))  # so that it looks no more


def test_a_helper_that_sleeps_is_woken(monkeypatch):
    made = started(monkeypatch, 0.0)
    while made.looking:
        time.sleep(0.001)
    job = Job(lambda _first, _last: None, (), [(0, 1)])
    made.call(1, job)
    assert job.done.get(timeout=30) is None


def test_several_threads_may_lead_at_once():
    def lead(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            seen = np.zeros(int(rng.integers(4, 40)), int)

            def work(first, last, out):
                np.add.at(out, range(first, last), 1)

            run_blocks(work, seen.size, int(rng.integers(2, 5)), seen)
            assert (seen == 1).all()

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(lead, seed) for seed in range(4)]:
            future.result(timeout=120)


def test_a_crew_whose_sharing_does_not_pay_works_alone_ever_longer():
    made, jobs = crew.Rest(), []
    for _ in range(3):
        made.judge(paid=False)
        jobs.append(made.alone)
    assert jobs == [crew.ALONE, 2 * crew.ALONE, 4 * crew.ALONE]
    for _ in range(20):
        made.judge(paid=False)
    assert made.alone == crew.LONGEST
    for _ in range(20):
        made.judge(paid=True)
    made.judge(paid=False)
    assert made.alone == crew.ALONE


def test_a_helper_that_loses_its_core_is_not_asked_again_at_once():
    """Its range lasts many times as long as the leader's, as if another program had the core."""
    made, threads, leader = Crew(), [], threading.get_ident()

    def work(_first, _last):
        threads.append(threading.get_ident())
        time.sleep(0.001 if threads[-1] == leader else 0.05)

    # Until the helper was quick enough to take a range.
    for _ in range(100):
        made.run(work, (), 4, 2)
        if set(threads) != {leader}:
            break
    assert made.rests["work"].alone > 0
    threads.clear()
    for _ in range(made.rests["work"].alone):
        made.run(work, (), 4, 2)
    assert set(threads) == {leader}
    assert made.rests["work"].alone == 0
    others = []
    made.run(lambda _first, _last: others.append(1), (), 4, 2)
    assert len(others) > 1  # another kernel is shared


def test_a_job_tells_whether_its_helpers_spared_time(monkeypatch):
    def work(_first, _last):
        time.sleep(0.002)

    made = Crew()
    for _ in range(20):  # a loaded machine may delay one
        job = Job(work, (), [(k, k + 1) for k in range(8)])
        made.call(1, job)
        if job.lead(made.patience()):
            break
    else:
        pytest.fail("never")
    assert not Job(work, (), [(0, 1)]).lead()  # nobody helped
    monkeypatch.setattr(crew, "LONG", 0.001)
    assert Job(work, (), [(0, 1)]).lead()
