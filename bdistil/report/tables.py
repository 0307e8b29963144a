"""Tables and pictures as HTML strings, for pages and reports: confusion, accuracy by class, disagreements, guarantee.

Pure functions; all text from users (class names) is escaped. The classes used here are dressed by the page's style
sheet. Everything that colour says is also said by a number, a sign or a shape.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from bdistil.records import Point
from bdistil.report import certificate_text, formats, series_drawing
from bdistil.report.palette import ThemeName
from bdistil.results.certificate import ClassRound, Heavy
from bdistil.results.confusion import ClassAccuracy, Confusion
from bdistil.results.disagreements import Disagreement
from bdistil.runs.previews import Examples, Pictures

# Percent of a row from which a cell takes the next of the five steps; fixed, so that prefixes and runs can be
# compared.
STEPS = (0.5, 2.0, 5.0, 10.0)


def confusion_table(confusion: Confusion, view: str) -> str:
    """The heat map of `view`: "students", "teacher" or "difference". Rows: true class; columns: answer; percent of
    the row.

    Cells below half a percent are empty. In a difference, worse and better cells carry a sign besides their colour.
    """
    matrix = getattr(confusion, view)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in confusion.classes)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"{''.join(_cell(value, i == j, view) for j, value in enumerate(matrix[i]))}</tr>"
        for i, name in enumerate(confusion.classes)
    )
    label = {"difference": "Confusion, difference to the teacher"}.get(view, f"Confusion of the {view}")
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{label}"><table class="heat">'
        f'<thead><tr><td style="background:none"></td>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cell(value: float, own: bool, view: str) -> str:
    if view == "difference":
        step = sum(abs(value) >= limit for limit in STEPS)
        better = (value > 0) == own
        text = formats.signed(value) if step else ""
        names = [f"s{step}", "better" if better else "worse"] if step else []
    else:
        step = 0 if own else sum(value >= limit for limit in STEPS)
        text = formats.decimal(value, 0) if own else formats.decimal(value) if step else ""
        names = [f"s{step}"] if step else []
    names += ["own"] if own else []
    return f'<td class="{" ".join(names)}">{text}</td>' if names else f"<td>{text}</td>"


def class_table(rows: Sequence[ClassAccuracy], prefix: int) -> str:
    """Accuracy by class (of `results.confusion.by_class`): dot and diamond on a line, number, difference in points."""
    if not rows:
        return ""
    low = min(0.9, int(10 * min(min(row.accuracy, row.teacher) for row in rows)) / 10)

    def mark(accuracy: float, who: str) -> str:
        return f'<i class="{who}" style="left:{100 * (accuracy - low) / (1 - low):.1f}%"></i>'

    body = "".join(
        f'<tr><th scope="row">{escape(row.name)}</th>'
        f'<td class="line"><span class="track" aria-hidden="true">{mark(row.accuracy, "ours")}'
        f"{mark(row.teacher, 'teacher')}</span></td>"
        f'<td class="number">{formats.percent(row.accuracy)}</td>'
        f'<td class="number">{formats.signed(row.difference)}</td></tr>'
        for row in rows
    )
    return (
        f'<p class="key"><span><i class="ours"></i>{formats.students(prefix)}</span>'
        '<span><i class="teacher"></i>teacher</span>'
        f"{100 * low:.0f} to 100{formats.NO_BREAK}%</p>"
        '<table class="classes"><thead><tr><th scope="col">Class</th><td class="line"></td>'
        '<th scope="col" class="number">Accuracy</th><th scope="col" class="number">Points</th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def early_table(points: Sequence[Point], teacher: float, seconds: float | None) -> str:
    """Accuracy after each part of a series: dot and diamond on a line, number, interval, points below the last.

    points: the frontier. teacher: its accuracy, which has read all. seconds: how long a series is, if known.
    """
    low = int(10 * min(teacher, *(point.accuracy for point in points))) / 10

    def mark(accuracy: float, who: str) -> str:
        return f'<i class="{who}" style="left:{100 * (accuracy - low) / (1 - low):.1f}%"></i>'

    def heard(share: float) -> str:
        after = formats.percent(share, 0)
        return after if seconds is None else f"{after}, {formats.decimal(share * seconds, 2)}{formats.NO_BREAK}s"

    last = points[-1].accuracy
    rows = "".join(
        f'<tr><th scope="row">{heard(row.window_share)}</th>'
        f'<td class="line"><span class="track" aria-hidden="true">{mark(row.accuracy, "ours")}'
        f"{mark(teacher, 'teacher')}</span></td>"
        f'<td class="number">{formats.percent(row.accuracy)}</td>'
        f'<td class="number">{formats.interval(row.accuracy_low, row.accuracy_high)}</td>'
        f'<td class="number">{formats.signed(100 * (row.accuracy - last))}</td></tr>'
        for row in points
    )
    return (
        '<p class="key early"><span><i class="ours"></i>students so far</span>'
        f'<span><i class="teacher"></i>teacher, the whole window</span>{100 * low:.0f} to 100{formats.NO_BREAK}%</p>'
        '<table class="classes early"><thead><tr><th scope="col">Window</th><td class="line"></td>'
        '<th scope="col" class="number">Accuracy</th><th scope="col" class="number">Interval</th>'
        '<th scope="col" class="number">Points</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def gallery(
    disagreements: Sequence[Disagreement], examples: Examples, prefix: int, theme: ThemeName, read: float = 1.0
) -> str:
    """The examples as pictures or series, with label, answers and prefix strip.

    examples: the whole test split, in its order. read: how much of a series the prefix has read, in (0, 1].
    """
    cards = "".join(_card(each, examples, prefix, theme, read) for each in disagreements)
    return f'<ul class="{_gallery(examples)}">{cards}</ul>'


def _gallery(examples: Examples) -> str:
    return "gallery" if isinstance(examples, Pictures) else "gallery of-series"


def _card(example: Disagreement, examples: Examples, prefix: int, theme: ThemeName, read: float) -> str:
    answers = (
        _answer("label", example.label, True),
        _answer("teacher", example.teacher, example.teacher_right),
        _answer("students", example.students, example.students_right),
    )
    name = f"Test example {example.index}, {example.label}"
    return (
        f"<li>{_drawn(examples, example.index, name, theme, read)}<dl>{''.join(answers)}</dl>"
        f"{prefix_strip(example.strip, prefix)}</li>"
    )


def _drawn(examples: Examples, place: int, name: str, theme: ThemeName, read: float = 1.0) -> str:
    """One example as its modality is drawn; name: what it is, for those who do not see it."""
    if isinstance(examples, Pictures):
        return f'<img alt="{escape(name)}" src="{picture_address(examples.images[place], examples.white)}">'
    return series_drawing.drawing(examples, place, name, theme, read)


def _answer(who: str, name: str, right: bool) -> str:
    wrong = "" if right else ' class="wrong"'
    return f"<dt>{who}</dt><dd{wrong}>{escape(name)}{'' if right else ' ✕'}</dd>"


def probability_table(examples: Sequence[Disagreement], prefix: int) -> str:
    """The same examples without pictures, for data whose licence does not permit shipping them: answers,
    probabilities.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Example", "Label", "Teacher", "Students", "Prefixes"))
    rows = "".join(
        f'<tr><th scope="row">{formats.count(e.index)}</th><td>{escape(e.label)}</td>'
        f"<td>{_probability(e.teacher, e.teacher_probability, e.teacher_right)}</td>"
        f"<td>{_probability(e.students, e.students_probability, e.students_right)}</td>"
        f"<td>{prefix_strip(e.strip, prefix)}</td></tr>"
        for e in examples
    )
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Answers and probabilities"><table class="plain">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _probability(name: str, probability: float, right: bool) -> str:
    return f"{escape(name)}{'' if right else ' ✕'}, {formats.percent(probability, 0)}"


def heavy_gallery(pairs: Sequence[Heavy], examples: Examples, theme: ThemeName, most: int) -> str:
    """The examples that weigh most, at most so many, each with its heaviest class, in the dress of `gallery`.

    pairs: of an example and a class, heaviest first. examples: in the pairs' order.
    """
    first = {pair.index: (place, pair) for place, pair in reversed(list(enumerate(pairs)))}
    cards = "".join(_heavy_card(pair, examples, place, theme) for place, pair in sorted(first.values())[:most])
    return f'<ul class="{_gallery(examples)}">{cards}</ul>'


def _heavy_card(pair: Heavy, examples: Examples, place: int, theme: ThemeName) -> str:
    sign = "▼" if pair.too_low else "▲"
    name = f"Training example {pair.index}, {pair.label}"
    return (
        f"<li>{_drawn(examples, place, name, theme)}<dl>"
        f"<dt>score for</dt><dd>{escape(pair.name)}</dd>"
        f'<dt>was</dt><dd><span aria-hidden="true">{sign}</span> {certificate_text.error(pair)}</dd>'
        f"{_answer('label', pair.label, True)}{_answer('teacher', pair.teacher, pair.teacher == pair.label)}"
        f"<dt>weight</dt><dd>{certificate_text.times(pair)}</dd></dl></li>"
    )


def panels(classes: Sequence[ClassRound], pictures: Sequence[str]) -> str:
    """Small multiples: for each class a picture of its lines (an image's address) and its figures of the last round."""
    cards = "".join(_panel(*each) for each in zip(classes, pictures, strict=True))
    return (
        '<p class="key lines"><span><i class="deviation"></i>deviation</span><span><i class="bound"></i>bound</span>'
        f'<span><i class="trivial"></i>trivial bound</span></p><ul class="panels">{cards}</ul>'
    )


def _panel(found: ClassRound, picture: str) -> str:
    bound, trivial = certificate_text.apart(found.bound, found.trivial)
    alt = escape(f"{found.name}: deviation, bound and trivial bound by round")
    return (
        f'<li><h3>{escape(found.name)}</h3><img alt="{alt}" src="{picture}"><dl>'
        f"<dt>deviation</dt><dd>{formats.decimal(found.measured, 2)}</dd><dt>bound</dt><dd>{bound}</dd>"
        f"<dt>trivial</dt><dd>{trivial}</dd></dl>"
        f'<p class="{"tells" if found.tells else "vacuous"}">'
        f"{'✓ guarantee' if found.tells else '✕ no guarantee'}</p></li>"
    )


def prefix_strip(right: Sequence[bool], chosen: int) -> str:
    """A cell for each prefix, filled where it answers correctly, the chosen one (1 … T) outlined."""
    correct = [str(prefix) for prefix, good in enumerate(right, 1) if good]
    label = f"Right with {', '.join(correct)} of {len(right)} students" if correct else "Wrong with every prefix"
    cells = "".join(
        f'<i class="{"right" if good else "wrong"}{" chosen" if prefix == chosen else ""}"></i>'
        for prefix, good in enumerate(right, 1)
    )
    return f'<span class="strip" role="img" aria-label="{label}">{cells}</span>'


def picture_address(image: np.ndarray, white: float) -> str:
    """An example as an image's data address: uint8 (H, W), drawn as ink on paper, or (H, W, 3) in its own colours."""
    pixels = np.rint(image * (255 / white)).clip(0, 255).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = 255 - pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
