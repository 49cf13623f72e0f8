"""Tokens on their way in. Nothing here gives one out."""

from __future__ import annotations

from ...net.credentials import Credentials
from ...records.json import to_json
from ...sources.account import check_token
from ..bodies import Credential
from .call import Call, Handler


def _credentials(call: Call) -> Credentials:
    """The state folder's tokens, with those of the caller's session over them."""
    credentials = Credentials.load(call.runtime.settings, state_dir=call.runtime.state_dir)
    session = call.session
    return credentials.with_environment(session.environment) if session is not None else credentials


async def get(call: Call) -> object:
    """Say whether there is one."""
    return to_json(_credentials(call).status(call.parameters["provider"])[0])


async def put(call: Call) -> object:
    """Keep one."""
    credential: Credential = call.body
    _credentials(call).set(call.parameters["provider"], credential.token)
    call.runtime.downloads.look_again()
    return await get(call)


async def delete(call: Call) -> object:
    """Forget one."""
    _credentials(call).clear(call.parameters["provider"])
    return await get(call)


async def test(call: Call) -> object:
    """Try one."""
    runtime = call.runtime
    return to_json(await check_token(runtime.client, runtime.settings, _credentials(call), call.parameters["provider"]))


CREDENTIALS: dict[str, Handler] = {
    "credentials.get": get,
    "credentials.set": put,
    "credentials.clear": delete,
    "credentials.test": test,
}
