"""A page with nothing but the slider and invented figures, for tests and the benchmark.

Address: mode, rounds, done (finished prefixes), progress (round in training), slow (seconds a run of the page takes).
"""

import math
import sys
import time
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "app")]

from operating_point import Progress, operating_point, payload  # noqa: E402

from bdistil.records import MeasuredTeacher, SplitScores  # noqa: E402
from bdistil.results.loading import FrontierPoint  # noqa: E402

st.set_page_config(page_title="Operating point", layout="wide")

st.html(f"<style>{(ROOT / 'app' / 'style.css').read_text()}</style>")

TEACHER = MeasuredTeacher(name="teacher", accuracy=0.943, macs=44_600_000, parameters=2_800_000, bytes=11_200_000)
SCORES = SplitScores(accuracy=0.94, agreement=0.95)


def row(prefix: int, rounds: int) -> FrontierPoint:
    accuracy = 0.940 - 0.021 * math.exp(-0.55 * (prefix - 1) * 6 / rounds)
    lost = 100 * (TEACHER.accuracy - accuracy)
    macs = round(1_740_000 * prefix * 6 / rounds)
    return FrontierPoint(
        prefix=prefix,
        accuracy=accuracy,
        accuracy_low=accuracy - 0.0055,
        accuracy_high=accuracy + 0.0045,
        agreement=0.93 + 0.004 * prefix * 6 / rounds,
        train=SCORES,
        validation=SCORES,
        fixed=None if prefix == 1 else 120 - prefix,
        broken=None if prefix == 1 else 70 + prefix,
        macs=macs,
        macs_ratio=macs / 44_600_000,
        parameters=26_000 * prefix,
        bytes=104_000 * prefix,
        memory_bytes=0,
        overhead_macs=0,
        carry_bytes=0,
        points_lost=lost,
        points_lost_low=lost - 0.35,
        points_lost_high=lost + 0.35,
    )


asked = st.query_params
mode = asked.get("mode", "full")
rounds = int(asked.get("rounds", 6))
state = st.session_state
state.setdefault("prefix", int(asked.get("prefix", 3)))
state.setdefault("push", 0)
state.setdefault("done", int(asked.get("done", rounds)))
state.setdefault("runs", 0)
state.runs += 1


def push(prefix: int) -> None:
    state.prefix = prefix
    state.push += 1


def arrive() -> None:
    state.done += 1


with st.container(key="bdistil"):
    training = int(asked["progress"]) if "progress" in asked else None
    data = payload(
        [row(prefix, rounds) for prefix in range(1, state.done + 1)],
        TEACHER,
        run=asked.get("run", "sample"),
        title="<b>Sample</b>, 6 students",
        mode=mode,
        rounds=rounds,
        prefix=state.prefix,
        push=state.push,
        cost_axis=asked.get("cost", "macs"),
        progress=Progress(training, 0.4) if training else None,
        heading_level=1,
    )
    state.prefix = operating_point(data, key="instrument")
    time.sleep(float(asked.get("slow", 0)))
    left, middle, right = st.columns(3)
    left.button("Push to 5", on_click=push, args=(5,))
    middle.button("One more point", on_click=arrive)
    right.button("Again")
    st.write(f"settled {state.prefix}, run {state.runs}")
