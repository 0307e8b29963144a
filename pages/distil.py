"""Distil: choose a teacher and students and see their price, start, and watch; `?run=ID` is the page of one run."""

import ui
from form import form
from watch import watch

from bdistil.errors import UserError
from bdistil.runs import open_run

ui.begin()
name = ui.address().run
if name is None:
    form()
else:
    try:
        watch(open_run(name))
    except UserError as error:
        ui.gone(name, str(error))
