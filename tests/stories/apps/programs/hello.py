"""A Streamlit application of a few lines."""

import os

import streamlit as st

st.write(f"Hello {os.environ['JUPYTERHUB_USER']} from Streamlit")
