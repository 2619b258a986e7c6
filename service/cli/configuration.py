"""Settings that are valid: a command says what is wrong with others, and ends with 2."""

from collections.abc import Callable
from pathlib import Path
from ssl import SSLError

import typer
from pydantic import ValidationError

from service.accounts.servers import ServerTable, trusting
from service.mail.errors import MailError
from service.settings import errors as setting_errors
from service.settings.model import Settings, read_settings


def settings_of(config: Path | None) -> Settings:
    """Returns the settings. Prints what is wrong with them and exits with 2 if they are not valid."""
    return valid(lambda: read_settings(config), config)


def valid(read: Callable[[], Settings], config: Path | None = None) -> Settings:
    """As ``settings_of``, if they are read in another way."""
    try:
        settings = read()
        _load_authorities(settings)
    except ValidationError as wrong:
        lines = setting_errors.describe(wrong, config)
    except FileNotFoundError as missing:
        lines = [f"There is no file {missing.filename or missing}."]
    except OSError as error:
        lines = [f"{error.filename or config} cannot be read: {error.strerror or error}."]
    except ValueError as wrong:
        lines = [f"{config} is not valid TOML: {wrong}"]
    else:
        return settings
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(2)


def _load_authorities(settings: Settings) -> None:
    """Raises OSError if a ``ca_file`` is missing or holds no certificate: at the start, not at the first sign-in."""
    listeners = [listener for row in settings.servers.values() for listener in (row.imap, row.pop3, row.smtp)]
    for file in {each.ca_file for each in (*listeners, *settings.oauth.values()) if each and each.ca_file}:
        try:
            trusting(file)
        except SSLError as error:
            raise OSError(error.errno, "it holds no certificate", str(file)) from None
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(file)) from None


def warn_of_unknown_variables() -> None:
    """Print a line for each variable whose name begins like a setting, and is none."""
    for line in setting_errors.unknown():
        typer.echo(line, err=True)


def no_server(error: MailError, table: ServerTable, options: str) -> str:
    """Why no server was found, for people at a terminal: which there are, and the options that name one."""
    names = ", ".join(row.name for row in table)
    known = f"The configuration has {names}: name one" if names else "There is no configuration: name a host"
    return f"{error.detail.partition('. ')[0].rstrip('.')}. {known} with {options}."
