"""All that people see: figures, tables and drawings, sentences and number formats, colours. No torch, no Streamlit."""
