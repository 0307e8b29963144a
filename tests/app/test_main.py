import os
import re
import subprocess
import sys
import textwrap
import urllib.request

from streamlit.testing.v1 import AppTest

from tests.app.conftest import ROOT
from tests.browser import chromium
from tests.builders import build_run


def test_every_page_is_reached_from_the_entry(runs):
    build_run(runs / "run", title="Mine")
    app = AppTest.from_file(str(ROOT / "app" / "shell.py"), default_timeout=60).run()
    assert not app.exception and app.title[0].value.startswith("Choose how much accuracy")
    app.switch_page("../pages/explore.py").run()
    assert not app.exception and app.selectbox(key="run-picker").value == "run"
    app.switch_page("../pages/distil.py").run()
    assert not app.exception and app.title[0].value == "Distil a teacher into students"


def test_a_card_s_button_opens_its_page_at_its_run(runs):
    build_run(runs / "run", title="Mine")
    app = AppTest.from_file(str(ROOT / "app" / "shell.py"), default_timeout=60).run()
    app.button(key="card-button-run").click().run()
    assert not app.exception and app.query_params["run"] == "run"
    assert app.header[0].value.startswith("Accuracy against cost")


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


def test_the_server_prepares_without_torch_and_sends_small_answers_at_once():
    script = textwrap.dedent("""
        import socket, sys
        sys.path.insert(0, "app")
        import main
        main.prepare()
        assert "sections" in sys.modules and "plotly" in sys.modules and "torch" not in sys.modules
        with socket.create_server(("127.0.0.1", 0)) as listening:
            main.answer_at_once()
            with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    """)
    quiet = {**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_page_s_first_answer_names_plotly_s_code():
    with chromium.serve(ROOT / "app" / "main.py") as server:
        for page in ("", "explore", "distil?run=none"):
            with urllib.request.urlopen(f"{server}/{page}") as answer:
                names = re.findall(r"<(/static/js/\w+\.[\w-]+\.js)>; rel=modulepreload", answer.headers["Link"])
            assert [name.split("/")[-1].split(".")[0] for name in names] == ["PlotlyChart"]
        for name in names:
            with urllib.request.urlopen(server + name) as answer:
                assert "javascript" in answer.headers["Content-Type"] and answer.headers["Link"] is None
