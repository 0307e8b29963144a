"""Random kills: runs on digits, killed again and again at moments drawn by chance, against one that nothing interrupts.

Each run goes on after every kill until it is finished, and then equals its uninterrupted twin bit for bit: weights,
logits of each split, records apart from seconds, the saved ensemble. Three in four are of `b-distil+polish`, every
fourth is of `b-distil` with a search in which no correction succeeds, so that attempts are turned down. Moments are
uniform over the time that the uninterrupted run takes. Workers are forked from a process that has imported everything,
so that kills fall on the work and not on imports. "Head correction" is all that follows the polish's last epoch until
its students are written.

    python benchmarks/kills.py
"""

import itertools
import os
import random
import signal
import tempfile
import time
from collections import Counter

from table import publish

from bdistil.config import DistilConfig
from bdistil.records import EpochFinished
from bdistil.runs import Run, create_run
from tests.nursery import Nursery
from tests.workers import HOPELESS, distil_config, everything, finished, polished_config, until

KILLS, SEED = 40, 0
POLISHED = polished_config(rounds=3, epochs=2, polish_epochs=3, views=1, batch_size=128)
SEARCH = distil_config(rounds=2, epochs=2, views=1, batch_size=128, composition="concat", retries=1)
PHASES = (
    "getting ready",
    "asking the teacher",
    "a round",
    "an attempt after one turned down",
    "the polish",
    "head correction",
    "report",
)


def uninterrupted(nursery: Nursery, config: DistilConfig, faults: str) -> tuple[dict[str, object], float]:
    """What a run makes that nothing interrupts, and how many seconds its worker takes."""
    run, began = create_run(config), time.monotonic()
    nursery.start(run, faults)
    return everything(finished(run)), time.monotonic() - began


def interrupted(
    nursery: Nursery, config: DistilConfig, faults: str, seconds: float, chance: random.Random, kills: Counter
) -> tuple[dict[str, object], int]:
    """What a run makes that is killed at random moments, at most as often as there are kills left; how often it was."""
    run, count = create_run(config), 0
    while kills.total() < KILLS:
        pid, end = nursery.start(run, faults), time.monotonic() + chance.uniform(0, seconds)
        while time.monotonic() < end and run.is_alive():
            time.sleep(min(0.005, max(0.0, end - time.monotonic())))
        if not run.is_alive():
            break
        os.kill(pid, signal.SIGKILL)
        until(lambda: not run.is_alive())
        if run.state() == "finished":  # its last word had been said
            break
        kills[phase(run)] += 1
        count += 1
    if run.state() != "finished":
        nursery.start(run, faults)
    return everything(finished(run)), count


def phase(run: Run) -> str:
    """Which of PHASES a run was in when it was killed, as its files say."""
    events = run.events()[0]
    last = events[max(place for place, event in enumerate(events) if event.kind == "started") :]
    kinds = {event.kind for event in last}
    entered = [event.phase for event in last if event.kind == "phase"]
    if not entered or entered[-1] == "teacher":
        return PHASES[bool(entered)]
    if entered[-1] == "rounds":
        starts = [event for event in last if event.kind == "round_started"]
        return PHASES[3 if starts and starts[-1].attempt > 1 else 2]
    if entered[-1] == "report":
        return PHASES[6]
    polish = [event for event in events if isinstance(event, EpochFinished) and event.phase == "polish"]
    epochs = max((event.epoch for event in polish), default=0)
    return PHASES[5 if "head_corrected" in kinds or epochs == POLISHED.polish_epochs else 4]


def main() -> None:
    kills: Counter[str] = Counter()
    chance, runs, same = random.Random(SEED), 0, 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        os.environ["BDISTIL_HOME"] = home
        with Nursery() as nursery:
            uninterrupted(nursery, POLISHED, "")  # the teacher's answers are kept from then on
            twins = [uninterrupted(nursery, POLISHED, ""), uninterrupted(nursery, SEARCH, HOPELESS)]
            for number in itertools.count():
                if kills.total() >= KILLS:
                    break
                plain = number % 4 == 3
                expected, seconds = twins[plain]
                config, faults = (SEARCH, HOPELESS) if plain else (POLISHED, "")
                made, count = interrupted(nursery, config, faults, seconds, chance, kills)
                runs, same = runs + 1, same + (count if made == expected else 0)
                outcome = "the same" if made == expected else "DIFFERENT"
                print(f"run {number + 1}, {config.method}: {count} kills, {outcome}", flush=True)
    minutes = (time.monotonic() - began) / 60
    publish(
        "kills",
        ("killed in", "kills"),
        [
            *((name, kills[name]) for name in PHASES),
            (f"**bit-identical in the end** ({runs} runs, {minutes:.0f} minutes)", f"**{same} of {kills.total()}**"),
        ],
        packages=("torch", "numpy"),
    )
    assert same == kills.total() == KILLS, f"{same} of {kills.total()} kills left the result as it was"


if __name__ == "__main__":
    main()
