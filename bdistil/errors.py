"""Errors that the user can fix: one sentence that names what is wrong and what to do.

The command line prints a `UserError` on standard error and exits with status 2; pages show it as a notice.
"""

import difflib
from collections.abc import Iterable, Sequence
from unicodedata import category


class UserError(Exception):
    """Unusable input. The message is one complete sentence for the user, without a traceback.

    Options stand in it by their names in Python, in backticks (`bdistil.options`). command: the arguments of a command
    that would help, which the command line adds to the sentence.
    """

    def __init__(self, sentence: str = "", command: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.command = tuple(command)


def nearest(name: str, choices: Iterable[str]) -> str:
    """Returns ` Did you mean X?` for the choice most like `name`, or an empty string if none is like it."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""


def printable(text: object) -> str:
    """Returns the text with what doesn't print (escape characters, line ends) escaped; spaces of any width stay."""
    return "".join(c if c.isprintable() or category(c) == "Zs" else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def quoted(text: object, most: int = 80) -> str:
    """Returns the user's text as a sentence may show it: escaped where it doesn't print, at most `most` characters.

    What is longer loses its middle, for which … stands.
    """
    whole = str(text)
    shown = printable(whole if len(whole) <= 2 * most else f"{whole[:most]}…{whole[-most:]}")
    if len(shown) <= most:
        return shown
    head, tail = most // 2, (most - 1) // 2
    return f"{shown[:head]}…{shown[len(shown) - tail :]}"
