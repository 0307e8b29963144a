import subprocess
import sys
import textwrap

from streamlit.testing.v1 import AppTest

from tests.app.conftest import ROOT
from tests.builders import build_run


def test_every_page_is_reached_from_the_entry(runs):
    build_run(runs / "run", title="Mine")
    app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60).run()
    assert not app.exception and app.title[0].value.startswith("Choose how much accuracy")
    app.switch_page("../pages/explore.py").run()
    assert not app.exception and app.selectbox(key="run-picker").value == "run"
    app.switch_page("../pages/distil.py").run()
    assert not app.exception and app.title[0].value == "Distil a teacher into students"


def test_a_card_s_button_opens_its_page_at_its_run(runs):
    build_run(runs / "run", title="Mine")
    app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60).run()
    app.button(key="card-button-run").click().run()
    assert not app.exception and app.query_params["run"] == "run" and app.header[0].value.startswith("The frontier of")


def test_pages_of_finished_runs_import_no_torch(runs):
    """The same check of a page that imports torch fails, so that it means something."""
    build_run(runs / "run")
    script = textwrap.dedent(f"""
        import sys
        from streamlit.testing.v1 import AppTest
        mine = {{"run": "run"}}
        for name, asked in [("home", {{}}), ("explore", mine), ("distil", mine), ("distil", {{}})]:
            page = AppTest.from_file(f"{ROOT}/pages/{{name}}.py", default_timeout=60)
            for key, value in asked.items():
                page.query_params[key] = value
            page.run()
            assert not page.exception and (page.title or page.header), name
            assert "torch" not in sys.modules, name
        AppTest.from_string("import torch", default_timeout=60).run()
        print("torch" in sys.modules)
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.strip() == "True", done.stderr[-2000:]
