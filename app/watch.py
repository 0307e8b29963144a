"""A run being watched on Distil: state, instrument, charts and log; live each second, at rest, or replayed.

One `RunState` feeds everything. The moving part (title, line, bar, instrument) is a fragment that ticks; the search and
the log are drawn outside it, and only when the run has taken a step worth drawing: nothing flickers.
A replay shows the state after the run's first events: nothing is trained.
"""

from html import escape

import run_text
import streamlit as st
import theme
import ui
from attempts import LIVE, attempts
from cards import made
from copyable import copyable
from event_log import event_lines
from operating_point import Progress, operating_point, payload
from replay import PACE, Replay
from run_state import RunState, run_state, state_so_far

from bdistil.config import DistilConfig
from bdistil.errors import UserError, printable
from bdistil.method_registry import polishes
from bdistil.records import EpochFinished
from bdistil.report import figures, formats
from bdistil.report.silence import silence
from bdistil.runs import Run, RunInfo
from bdistil.runs.extend import MOST, extend_run, refusal
from bdistil.runs.launch import start_worker
from bdistil.teachers import card

AT_REST = 3.0  # seconds


def watch(run: Run) -> None:
    """Draws the page of a run. Raises UserError if the run cannot be read."""
    shown, replay = _now(run), Replay.of(run)
    if replay:
        ui.muted(f"Replay of {shown.info.title}, as it happened. Nothing is trained.")
        replay.controls(run.events()[0])
    ticking = replay.playing if replay else shown.info.state in LIVE
    _status(run, shown.signature, every=(PACE if replay else 1.0) if ticking else None)
    if not ticking and not replay:
        _follow(run, shown.signature)
    if shown.info.kind == "distil":
        attempts(shown)
    else:
        _epochs(shown)
    _log(shown, replay)


def _now(run: Run) -> RunState:
    """The state to draw: after all events, or after the first ones where a replay is on."""
    info, (events, _) = run.info(), run.events()
    replay = Replay.of(run)
    if replay:
        return state_so_far(info, events[: replay.count])
    return run_state(info, events, run.heartbeat())


def _status(run: Run, drawn: tuple, every: float | None) -> None:
    """The moving part. `drawn` is the signature of the state that the rest of the page shows."""

    @st.fragment(run_every=every)
    def status() -> None:
        try:
            now = _now(run)
        except UserError:
            st.rerun()  # deleted or damaged meanwhile: the whole page says so
        replay = Replay.of(run)
        ended = every is not None and replay is not None and not replay.playing
        if now.signature != drawn or ended:
            st.rerun()
        _head(run, now, replay)
        _instrument(run, now)

    status()


def _follow(run: Run, drawn: tuple) -> None:
    """Draws nothing, and looks every few seconds whether a run at rest goes on: another tab may have resumed it."""

    @st.fragment(run_every=AT_REST)
    def look() -> None:
        try:
            moved = _now(run).signature != drawn
        except UserError:
            moved = True
        if moved:
            st.rerun()

    look()


def _head(run: Run, now: RunState, replay: Replay | None) -> None:
    """Title, line, bar, and the one button or notice that the state calls for."""
    state = now.info.state
    title, button = st.columns([4, 1], vertical_alignment="bottom")
    with title:
        st.title(run_text.title(now.info, now.beat), anchor=False)
        ui.muted(f"{now.info.title}, {made(now.info)}. {run_text.recipe(now.info)}")
        if state in LIVE:
            ui.muted(_line(run, now))
    if state in LIVE:
        if not replay:
            stopping = run.stop_requested()
            button.button("Stop", disabled=stopping, on_click=run.request_stop, width="stretch", key="stop")
        if state == "running":
            _bar(now.fraction, run_text.title(now.info, now.beat))
    elif state == "finished" and not replay:
        _finished(run, now.info)
    elif not replay:
        _interrupted(run, now)


def _line(run: Run, now: RunState) -> str:
    if now.info.state == "queued":
        return run_text.WAITING
    silent = None if Replay.of(run) else silence(now.beat)
    if silent:
        return silent
    if run.stop_requested():
        return "Stopping after this batch."
    return run_text.progress(now.info, now.beat, now.composition)


def _bar(fraction: float, label: str) -> None:
    percent = round(100 * fraction)
    st.html(
        f'<div class="bar" role="progressbar" aria-label="{escape(label)}" aria-valuenow="{percent}" '
        f'aria-valuemin="0" aria-valuemax="100"><i style="width:{percent}%"></i></div>'
    )


def _finished(run: Run, info: RunInfo) -> None:
    with st.container(key="finished", horizontal=True):
        if info.kind == "distil":
            if st.button("Open in Explore", type="primary"):
                ui.go("explore", run=run.id)
        elif _is_saved(info.teacher_name) and st.button("Distil this teacher", type="primary"):
            ui.go("distil", dataset=info.config.dataset, teacher=info.teacher_name)
        total = len(run.events()[0])
        if total > 1:
            st.button("Replay the training", on_click=Replay.begin, args=(run.id, total))
    if ui.has_torch() and not refusal(run):
        with st.expander("Add rounds"):
            _more_rounds(run, info)


def _is_saved(teacher: str | None) -> bool:
    """Whether a teacher that was trained is still there."""
    try:
        return bool(teacher and card(teacher))
    except UserError:
        return False


def _more_rounds(run: Run, info: RunInfo) -> None:
    """Further students for a finished ensemble: what one more costs, how many, and the start."""
    try:
        rounds, points = run.rounds(), info.points
    except UserError as error:
        ui.muted(str(error))
        return
    macs = points[-1].macs - (points[-2].macs if len(points) > 1 else 0)
    cost = f"{formats.macs(macs)} MACs more and took {formats.duration(rounds[-1].record.seconds)} to train"
    stay = "Its student stays" if len(points) == 1 else f"Its {formats.count_students(len(points))} stay"
    ui.muted(f"{stay} as trained, whatever is added. The last one costs {cost}.")
    most, added, budgets = MOST - len(points), None, None
    with st.container(key="more-rounds", horizontal=True, vertical_alignment="bottom"):
        if isinstance(info.config, DistilConfig) and info.config.budgets:
            above = f"above {info.config.budgets.rpartition(',')[2].strip()}, one for each student"
            budgets = st.text_input("Budgets to add", key="budgets", placeholder=above, width=320)
        else:
            added = st.number_input("Students to add", 1, most, min(2, most), key="added", width=200)
        begun = st.button("Start")
    if begun:
        try:
            longer = extend_run(run, added, budgets=budgets)
            start_worker(longer)
        except UserError as error:
            with ui.notice(str(error), key="refused"):
                return
        ui.go("distil", run=longer.id)


def _interrupted(run: Run, now: RunState) -> None:
    """Stopped, worker gone, or failed: what is, what is safe, what resuming does, and the button."""
    info, failed = now.info, now.info.state == "failed"
    if failed:
        what, advice = run_text.failed_notice(info)
    else:
        what, advice = run_text.stopped_notice(info, now.beat, run.failure())
    if not ui.has_torch():
        advice = f"{advice} Resuming needs PyTorch, which is not installed here."
    with ui.notice(what, advice, key="interrupted", bad=failed):
        if ui.has_torch() and st.button("Resume", type="primary"):
            _resume(run)
        if now.points and st.button("Open in Explore"):
            ui.go("explore", run=run.id)
    view = ui.chosen()
    if view.not_resumed:
        with ui.notice(view.not_resumed, key="refused"):
            view.not_resumed = None
    lines = run.log_tail() if failed or info.worker_gone else []
    if lines:
        with st.expander("The worker’s last lines"):
            copyable("\n".join(lines), key="log-tail")


def _resume(run: Run) -> None:
    """Starts the worker again; says why where that is refused."""
    try:
        start_worker(run)
    except UserError as error:
        ui.chosen().not_resumed = str(error)
    st.rerun()


def _instrument(run: Run, now: RunState) -> None:
    """The operating point, live: finished prefixes draggable, the round in progress filling."""
    info, beat = now.info, now.beat
    if info.kind != "distil" or not now.points or info.teacher is None or info.teacher.accuracy is None:
        return
    current = beat.round if beat and info.state == "running" else None
    data = payload(
        now.points,
        info.known_teacher,
        run=run.id,
        title=info.title,
        mode="live",
        rounds=info.distil_config.rounds,
        prefix=ui.address().prefix or len(now.points),
        progress=Progress(current, now.fraction) if current and current == len(now.points) + 1 else None,
    )
    operating_point(data, key=f"watch-{run.id}")


def _epochs(now: RunState) -> None:
    """A teacher's training: accuracy on the validation split by epoch."""
    st.header("How the teacher learns", anchor=False)
    epochs = [event for event in now.events if isinstance(event, EpochFinished)]
    figure = figures.learning(epochs, theme=theme.name(), epochs=now.info.config.epochs)
    ui.chart(figure, "learning", "The teacher’s accuracy on the validation split by epoch")
    with st.expander("The epochs as a table"):
        rows = [
            (each.epoch, formats.decimal(each.loss, 4), formats.percent(each.validation["accuracy"], 2))
            for each in epochs
            if each.validation
        ]
        ui.table(("Epoch", "Loss", "Accuracy on validation"), rows, numeric=(1, 2), label="The teacher’s epochs")


def _log(now: RunState, replay: Replay | None) -> None:
    """What happened, in sentences, newest first; the newest is announced to screen readers once."""
    classes = now.info.dataset.classes if now.info.dataset else ()
    lines = event_lines(now.events, classes, polished=polishes(now.info.method))
    lines = [(time, printable(text)) for time, text in lines]
    st.header("What happened", anchor=False)
    items = "".join(f"<li><time>{escape(time)}</time><span>{escape(text)}</span></li>" for time, text in lines)
    st.html(f'<ol class="log">{items}</ol>')
    if lines and not replay:
        st.html(f'<p class="announce" role="status">{escape(lines[0][1])}</p>')
