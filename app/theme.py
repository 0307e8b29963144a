"""The theme in use. The browser recolours Streamlit and components by itself, but not what Python has coloured already
(charts, pictures): a component without looks asks for a rerun when the theme has changed.
"""

import streamlit as st

from bdistil.report.palette import ThemeName

_WATCHER = """
export default function ({ data, parentElement, setTriggerValue }) {
  const app = parentElement.ownerDocument.querySelector(".stApp");
  const inUse = () => (getComputedStyle(app).colorScheme.includes("dark") ? "dark" : "light");
  let told = data.theme;
  const look = () => {
    if (inUse() === told) return;
    told = inUse();
    setTriggerValue("changed", told);
  };
  const observer = new MutationObserver(look);
  observer.observe(app, { attributes: true, attributeFilter: ["class", "style"] });
  look();
  return () => observer.disconnect();
}
"""
_watcher = st.components.v2.component("theme_watcher", html="<span hidden></span>", js=_WATCHER)


def name() -> ThemeName:
    """The theme as the browser shows it."""
    return "dark" if st.context.theme.type == "dark" else "light"


def follow() -> None:
    """Draws the page again when the theme has changed. Call it once a page."""
    _watcher(key="theme-watcher", data={"theme": name()}, on_changed_change=lambda: None)
