"""Settings: the only reader of the environment.

Precedence: what a caller passes > environment > the settings file of the state folder > the default. Every time-out
and clock is a setting, so that tests shorten them instead of waiting. Objects at run time receive their numbers, not
`Settings`.
"""

from __future__ import annotations

from .load import change_settings, check_setting, describe_settings, load_settings
from .settings import Settings
from .variables import ENV_PREFIX, FOREIGN_VARIABLES, POD_SECRETS, session_environment

__all__ = [
    "ENV_PREFIX",
    "FOREIGN_VARIABLES",
    "POD_SECRETS",
    "Settings",
    "change_settings",
    "check_setting",
    "describe_settings",
    "load_settings",
    "session_environment",
]
