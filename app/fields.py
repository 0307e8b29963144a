"""Options as fields of a form, and sentences that name them so.

Label, help, choices and limits of a field are those that the option is declared with (`bdistil.options`).
"""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bdistil.config import OPTIONS
from bdistil.options import Option, in_voice

FINE = 0.01  # a step below it needs four decimals


def in_fields(sentence: str) -> str:
    """A sentence of the engine as a page says it: with the field “Rounds” for `rounds`."""
    return in_voice(sentence, _field)


def _field(name: str, begins: bool) -> str | None:
    if name not in OPTIONS:
        return None
    return OPTIONS[name].title if begins else f"the field “{OPTIONS[name].title}”"


def draw(
    option: Option, value: Any, key: str, *, place: DeltaGenerator | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """Draws an option's field, which begins with a value; returns what is chosen.

    choices: the values of a list that are offered, all by default. An empty number is None.
    """
    at = place or st
    if option.choices:
        offered = choices or tuple(option.choices)
        return at.selectbox(
            option.title,
            offered,
            offered.index(value),
            key=key,
            help=option.help,
            format_func=lambda name: f"{name}: {option.choices[name]}",
        )
    if option.kind is bool:
        return at.toggle(option.title, value, key=key, help=option.help)
    return number(option, value, key, place=place)


def text(option: Option, value: str | None, key: str, *, place: DeltaGenerator | None = None) -> str:
    """Draws a text's field; an empty text where it is left empty."""
    at = place or st
    return at.text_input(option.title, value or "", key=key, help=option.help, placeholder=option.empty or None)


def number(option: Option, value: float | None, key: str, *, place: DeltaGenerator | None = None) -> Any:
    """Draws a number's field; None where it is left empty."""
    low, high = option.bounds
    step = option.step or option.kind(1)
    return (place or st).number_input(
        option.title if option.unit.lower() in option.title.lower() else f"{option.title}, {option.unit}",
        min_value=low,
        max_value=high,
        value=value,
        step=step,
        format="%.4f" if step < FINE else None,
        key=key,
        help=option.help,
        placeholder=option.empty or None,
    )
