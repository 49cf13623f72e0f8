"""Rows of settings and tokens."""

from __future__ import annotations

from ..bodies import Credential, SettingsRequest
from .route import Route

SETTINGS_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/settings",
        name="settings.get",
        summary="List the settings that may be changed here",
        returns="`{settings: [{name, value, default, doc, set_by}]}`",
    ),
    Route(
        method="PUT",
        path="/settings",
        name="settings.change",
        summary="Change settings, from now on and for the next start; null goes back to the default",
        returns="`{settings: [{name, value, default, doc, set_by}]}`",
        request=SettingsRequest,
    ),
    Route(
        method="GET",
        path="/credentials/{provider}",
        name="credentials.get",
        summary="Say whether there is a token, and where from; never the token",
        returns="`{provider, is_set, origin}`",
    ),
    Route(
        method="PUT",
        path="/credentials/{provider}",
        name="credentials.set",
        summary="Keep a token in the state folder",
        returns="`{provider, is_set, origin}`",
        request=Credential,
    ),
    Route(
        method="DELETE",
        path="/credentials/{provider}",
        name="credentials.clear",
        summary="Forget the token of the state folder",
        returns="`{provider, is_set, origin}`",
    ),
    Route(
        method="POST",
        path="/credentials/{provider}/test",
        name="credentials.test",
        summary="Ask the provider whose token it is",
        returns="`{provider, user, scope}`",
    ),
)
