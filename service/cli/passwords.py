"""Passwords, which are never arguments: other users of a machine see those."""

import os
import sys

import typer


def password_of(variable: str, prompt: str = "Password") -> str:
    """Returns the password from the environment, else from a hidden prompt, or the next line of a pipe."""
    password = os.environ.get(variable)
    if password is None and sys.stdin.isatty():
        password = typer.prompt(prompt, hide_input=True, err=True)
    elif password is None:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo(f"There is no password: set {variable}, or type it at the prompt.", err=True)
        raise typer.Exit(2)
    return str(password)
