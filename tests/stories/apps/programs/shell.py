"""A Shiny application that runs what is typed: it shows who and where the application is, and what it reaches."""

import subprocess

from shiny import App, Inputs, Outputs, Session, render, ui

app_ui = ui.page_fluid(ui.input_text("command", "A command"), ui.output_text("printed"), title="A shell in Shiny")


def server(given: Inputs, output: Outputs, session: Session) -> None:
    """One session."""

    @render.text
    def printed() -> str:
        done = subprocess.run(given.command(), shell=True, capture_output=True, text=True, timeout=20)
        return f"{done.stdout}{done.stderr}[exit {done.returncode}]"


app = App(app_ui, server)
