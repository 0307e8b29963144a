"""Series as HTML strings: channels as rows of lines, speech as waveform, spectrogram and sound.

Images with data addresses (`st.html` drops inline svg) in the ink of the theme that is asked for, and the browser's own
player. No colour means anything here: rows are named beside them, and dark is much. Text of users is escaped.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from functools import cache
from html import escape

import numpy as np
from PIL import Image

from bdistil.report import formats, palette
from bdistil.report.palette import Theme, ThemeName
from bdistil.runs.previews import Series

ROW = 100  # units of a drawing a channel
MOST_GROUPS = 4
COLUMNS = 240  # of a waveform
AXES = "xyz"


def drawing(series: Series, place: int, name: str, theme: ThemeName, read: float = 1.0) -> str:
    """One example: of sensors lines, a row a channel; of speech the waveform and its sound, where there is a recording,
    and the spectrogram. name: what it is, for those who do not see it. read: how much of it has been read, in (0, 1].
    """
    look = palette.THEMES[theme]
    draw = _lines if series.modality == "sensor" else _speech
    return f'<div class="series">{draw(series, place, name, look, read)}</div>'


def caption(series: Series, read: float = 1.0) -> str:
    """How the drawings are read; read: as in `drawing`."""
    return _caption(series) + (" The line below ends where the students have stopped reading." if read < 1 else "")


def _caption(series: Series) -> str:
    if series.modality == "sensor":
        return "Channels under one name share a scale."
    usual = "darker where it is above this row's average"
    if series.channels:
        return f"Rows from the bottom: {series.channels[0]} to {series.channels[-1]}; {usual}."
    return f"Rows from the bottom: bands from low to high; {usual}."


def groups(channels: Sequence[str]) -> list[tuple[int, ...]]:
    """Places of channels that belong together: three in a row whose names differ in their x, y and z, else each alone.

    `ax, ay, az, pulse` -> (0, 1, 2), (3,)
    """
    found, place = [], 0
    while place < len(channels):
        size = 3 if _is_triple(channels[place : place + 3]) else 1
        found.append(tuple(range(place, place + size)))
        place += size
    return found


def _is_triple(names: Sequence[str]) -> bool:
    return len(names) == 3 and _shared(names) is not None


def _shared(names: Sequence[str]) -> str | None:
    """What the names of x, y and z share; None where they differ otherwise."""
    if len({len(name) for name in names}) > 1:
        return None
    columns = list(zip(*names, strict=True))
    differing = ["".join(letters).lower() for letters in columns if len(set(letters)) > 1]
    if differing != [AXES]:
        return None
    return "".join(letters[0] for letters in columns if len(set(letters)) == 1).strip(" _-")


def moving(series: Series, place: int, most: int = MOST_GROUPS) -> tuple[list[tuple[int, ...]], int]:
    """The groups of channels to draw of an example, at most `most`: those that move most, against how much they do on
    the training split, in their own order; and how many there are.
    """
    every = groups(series.channels or [""] * series.values.shape[1])
    movement = series.values[place].astype(np.float32).std(axis=1) / np.maximum(series.std, 1e-6)
    ranked = sorted(range(len(every)), key=lambda number: -max(movement[list(every[number])]))
    return [every[number] for number in sorted(ranked[:most])], len(every)


def _lines(series: Series, place: int, name: str, look: Theme, read: float) -> str:
    chosen, total = moving(series, place)
    drawn = "".join(_group(series, place, group, name, look) for group in chosen)
    left_out = f"{len(chosen)} of {total} groups of channels, those that move most" if len(chosen) < total else ""
    return drawn + _axis(series, read) + (f'<p class="note">{left_out}</p>' if left_out else "")


def _group(series: Series, place: int, group: Sequence[int], name: str, look: Theme) -> str:
    """Rows of one scale, a channel each, under their name; x, y and z stand beside theirs."""
    names = [series.channels[channel] if series.channels else f"channel {channel + 1}" for channel in group]
    title, axes = (_shared(names), AXES) if len(names) == 3 else (names[0], "")
    values = series.values[place, list(group)].astype(np.float32)
    low, high = float(values.min()), float(values.max())
    heights = ROW - 10 - (ROW - 20) * (values - low) / ((high - low) or 1.0)
    rows = "".join(
        f'<path d="M0 {(row + 1) * ROW}H{len(line) - 1}" stroke="{look.border}" {_STILL}/>'
        f'<polyline points="{_points(row * ROW + line)}" fill="none" stroke="{look.text}" {_STILL}/>'
        for row, line in enumerate(heights)
    )
    labels = "".join(f"<span>{axis}</span>" for axis in axes)
    alt = escape(f"{name}: {formats.listing(names)}, from {_number(low)} to {_number(high)}")
    image = _svg(rows, values.shape[1] - 1, ROW * len(group))
    return (
        f'<p class="group" aria-hidden="true">{escape(title or "")}</p>'
        f'<div class="rows" style="height:{1.75 * len(group)}rem"><p aria-hidden="true">{labels}</p>'
        f'<img alt="{alt}" src="{image}"></div>'
    )


_STILL = 'vector-effect="non-scaling-stroke"'


def _points(line: np.ndarray) -> str:
    return " ".join(f"{step},{round(height)}" for step, height in enumerate(line.tolist()))


def _number(value: float) -> str:
    return formats.decimal(value, 1 if abs(value) >= 10 else 2)


def _speech(series: Series, place: int, name: str, look: Theme, read: float) -> str:
    samples = series.recordings.get(place)
    outline = "" if samples is None else _waveform(series, samples, name, look)
    sound = "" if samples is None else _player(series, samples, name)
    bands, steps = series.values.shape[1:]
    if series.channels:
        what = f"{series.channels[0]} to {series.channels[-1]} over {steps} steps, the first at the bottom"
    else:
        what = f"spectrogram of {bands} bands over {steps} steps, low bands at the bottom"
    alt = escape(f"{name}: {what}")
    bands = f'<img class="bands" alt="{alt}" src="{_spectrogram(series, place, look)}">'
    return f"{outline}{bands}{_axis(series, read)}{sound}"


def _spectrogram(series: Series, place: int, look: Theme) -> str:
    """Bands from low at the bottom to high, against what is usual of each: from no ink for the least of the example,
    which in speech is silence, to full ink for the most.
    """
    against = (series.values[place] - series.mean[:, None]) / np.maximum(series.std[:, None], 1e-6)
    least, most = against.min(), against.max()
    ink = (against - least) * (255 / ((most - least) or 1.0))
    image = Image.fromarray(np.rint(ink).astype(np.uint8)[::-1])
    image.putpalette(_inks(look))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return _address("image/png", buffer.getvalue())


@cache
def _inks(look: Theme) -> bytes:
    """256 colours from the surface to the text, three bytes each."""
    return b"".join(bytes.fromhex(palette.mix(look.surface, look.text, step / 255)[1:]) for step in range(256))


def _waveform(series: Series, samples: np.ndarray, name: str, look: Theme) -> str:
    """The recording's outline over the same time as the spectrogram below it."""
    whole = round(series.seconds * series.sampling_hz) if series.seconds and series.sampling_hz else len(samples)
    heard = np.zeros(whole, np.float32)
    heard[: len(samples)] = samples[:whole]
    parts = np.array_split(heard / max(1.0, float(np.abs(heard).max())), min(COLUMNS, whole))
    tops = [round(50 - 48 * max(0.0, float(part.max()))) for part in parts]
    bottoms = [round(50 - 48 * min(0.0, float(part.min()))) for part in parts]
    outline = [*enumerate(tops), *reversed(list(enumerate(bottoms)))]
    points = " ".join(f"{step},{height}" for step, height in outline)
    shape = f'<polygon points="{points}" fill="{look.text}" stroke="{look.text}" stroke-width="1" {_STILL}/>'
    alt = escape(f"{name}: waveform of the recording")
    return f'<img class="wave" alt="{alt}" src="{_svg(shape, len(parts) - 1, 100)}">'


def _player(series: Series, samples: np.ndarray, name: str) -> str:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(series.sampling_hz or 1)
        file.writeframes(samples.astype("<i2").tobytes())
    label, source = escape(f"{name}: the recording"), _address("audio/wav", buffer.getvalue())
    return f'<audio controls aria-label="{label}" src="{source}"></audio>'


def _axis(series: Series, read: float) -> str:
    """Where the drawings begin and end, in seconds or, without a rate, in steps; and how far they have been read."""
    steps = series.values.shape[2]
    end = f"{steps} steps" if series.seconds is None else f"{formats.decimal(series.seconds)}{formats.NO_BREAK}s"
    mark = f'<i style="width:{100 * read:.1f}%"></i>' if read < 1 else ""
    return f'<p class="axis">{mark}<span>0</span><span>{end}</span></p>'


def _svg(shapes: str, width: int, height: int) -> str:
    box = f'viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
    return _address("image/svg+xml", f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{shapes}</svg>'.encode())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
