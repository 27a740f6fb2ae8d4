"""OAUTHBEARER: where the token comes from. Both Kafka clients ask anew for every connection they make."""

import importlib
from collections.abc import Callable

from worker.errors import SettingsError, one_line
from worker.settings import Settings


def source(settings: Settings) -> Callable[[], str]:
    """What gives the token: the function that ``KHABAR_SASL_TOKEN`` names, else the password as it stands.

    Raises:
        SettingsError: it names no function that can be called.
    """
    if not settings.sasl_token:
        return lambda: settings.sasl_password
    module, _, name = settings.sasl_token.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs the module, which may raise anything
        # a module that asks for its token while it is imported may raise with a secret in the text
        why = f": {one_line(error)[:200]}" if isinstance(error, ImportError | AttributeError) else ""
        message = f"KHABAR_SASL_TOKEN={settings.sasl_token}: {type(error).__name__}{why}"
        raise SettingsError(message) from error
    if not callable(function):
        message = f"KHABAR_SASL_TOKEN={settings.sasl_token} is no function"
        raise SettingsError(message)
    return lambda: _token(function, settings.sasl_token)


def _token(function: Callable[[], object], name: str) -> str:
    """Ask the function; its error is told by type only, since its text may hold what must not be logged.

    Raises:
        OSError: no token can be had now.
    """
    try:
        token = function()
    except Exception as error:  # noqa: BLE001 - the operator's own code may raise anything
        message = f"KHABAR_SASL_TOKEN={name} raised {type(error).__name__}"
        raise OSError(message) from None
    if not isinstance(token, str) or not token:
        message = f"KHABAR_SASL_TOKEN={name} returned no token but {type(token).__name__}"
        raise OSError(message)
    return token
