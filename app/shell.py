"""Where every session begins: page settings, word mark, pages in journey order."""

from pathlib import Path

import streamlit as st
import theme

HERE = Path(__file__).parent
PAGES = HERE.parent / "pages"

st.set_page_config("B-DISTIL Explorer", page_icon=str(HERE / "static" / "icon.png"), layout="wide")
st.logo(str(HERE.parent / "assets" / "logo" / f"word-mark-{theme.name()}.svg"), size="large")
st.navigation(
    [
        st.Page(PAGES / "home.py", title="Home", default=True),
        st.Page(PAGES / "distil.py", title="Distil"),
        st.Page(PAGES / "explore.py", title="Explore"),
    ],
    position="top",
).run()
