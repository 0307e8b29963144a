"""The catalogue: names are checked, and nothing in it needs torch."""

import subprocess
import sys

import pytest

from bdistil.errors import UserError
from bdistil.students import catalogue

PROBE = "import sys, bdistil.students.catalogue; {more}sys.exit('torch' in sys.modules)"


def test_reading_the_catalogue_imports_no_torch():
    assert subprocess.run([sys.executable, "-c", PROBE.format(more="")]).returncode == 0


def test_the_torch_probe_sees_torch_where_a_student_is_built():
    assert subprocess.run([sys.executable, "-c", PROBE.format(more="bdistil.students.Student; ")]).returncode == 1


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(UserError, match="Did you mean cnn-xs"):
        catalogue.check("cnn-xz")
    with pytest.raises(UserError, match="Did you mean concat"):
        catalogue.check_composition("concatt")


def test_known_names_pass_through():
    assert catalogue.names("image") == ("cnn-xs", "cnn-s", "cnn-m", "cnn-l", "cnn-xl")
    assert catalogue.names("speech") == catalogue.names("sensor") == ("gru-xs", "gru-s", "gru-m", "tcn-s", "tcn-m")
    assert set(catalogue.names()) == set(catalogue.CATALOGUE)
    assert [catalogue.check(name) for name in catalogue.names()] == list(catalogue.names())
    compositions = ["alone", "add", "concat", "concat-all", "carry-state", "carry-state-pool"]
    assert [catalogue.check_composition(name) for name in catalogue.COMPOSITIONS] == compositions


def test_what_does_not_fit_together_is_said_with_what_does():
    with pytest.raises(UserError, match="does not read image data: choose one of cnn-xs, cnn-s, cnn-m"):
        catalogue.check("gru-s", "image")
    with pytest.raises(UserError, match="cnn-s has no composition carry-state: choose one of alone, add"):
        catalogue.check_composition("carry-state", "cnn-s")
    assert catalogue.check("gru-s", "sensor") == "gru-s"
    assert catalogue.check_composition("carry-state", "gru-s") == "carry-state"


def test_the_package_names_what_it_lacks():
    import bdistil.students

    with pytest.raises(AttributeError, match="'nothing'"):
        bdistil.students.nothing  # noqa: B018


def test_segments_follow_one_another_and_leave_no_step_out():
    assert [catalogue.segment("segments", round, 4, (2, 10)) for round in (1, 2, 3, 4)] == [
        (0, 2),
        (2, 5),
        (5, 7),
        (7, 10),
    ]
    assert catalogue.segment("full", 2, 4, (2, 10)) is None
