"""A text to take along, a command or the last lines of a log: one wrapped block with a button that copies it.

Streamlit's own, `st.code`, first loads a highlighter for all languages, which on a cold visit takes as long as all the
rest of the page.
"""

import streamlit as st

_HTML = '<div class="block"><pre tabindex="0"><code></code></pre><button type="button"></button></div>'
_CSS = """
.block { display: flex; align-items: start; gap: 0.75rem; padding: 0.75rem; border-radius: 6px;
  background: var(--surface); color: var(--text); }
pre { flex: 1; min-width: 0; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: 0.875rem/1.5 var(--st-code-font); }
button { flex: none; min-height: 1.5rem; padding: 0 0.5rem; border: 1px solid var(--control); border-radius: 6px;
  background: var(--background); color: var(--text); font: 0.875rem var(--st-font); cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
_JS = """
export default function ({ data, parentElement }) {
  const code = parentElement.querySelector("code");
  const button = parentElement.querySelector("button");
  code.textContent = data.text;
  button.textContent = "Copy";
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(data.text);
      button.textContent = "Copied";
    } catch {  // a page from another machine without HTTPS may not: the text is selected, ready to be copied by hand
      getSelection().selectAllChildren(code);
    }
  };
}
"""
_block = st.components.v2.component("copyable", html=_HTML, css=_CSS, js=_JS)


def copyable(text: str, key: str) -> None:
    """Draws the text as it is."""
    _block(key=key, data={"text": text})
