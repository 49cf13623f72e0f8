"""Webhooks over real sockets: signed as said, tried again where that helps, bounded where it does not."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from comfystow.core.alerts.webhook import SIGNATURE_HEADER, Webhook
from comfystow.core.config import Settings
from comfystow.core.errors import ConfigError
from comfystow.core.net.proxies import Proxies
from comfystow.core.records.alert import ActiveAlert
from comfystow.core.records.catalogue import Severity


def alert(name: str = "GpuHot") -> ActiveAlert:
    return ActiveAlert(
        name=name, severity=Severity.WARNING, summary="GPU ä is hot", action="cool it", firing=True, since=1.0
    )


class Receiver:
    """An owner's endpoint: keeps what came, answers what it is told to."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.came: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)


@asynccontextmanager
async def hook(**settings: object) -> AsyncIterator[tuple[Receiver, Webhook]]:
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    numbers = {"alert_webhook_retry_seconds": 0.01, "alert_webhook_retry_limit": 3, **settings}
    webhook = Webhook(Settings(alert_webhook_url=url, **numbers), Proxies())
    try:
        yield receiver, webhook
    finally:
        await webhook.close()
        await runner.cleanup()


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_message_is_signed_over_its_bytes_and_time() -> None:
    async with hook(alert_webhook_secret="key") as (receiver, webhook):
        webhook.offer(alert())
        await until(lambda: webhook.status.delivered == 1)
    headers, body = receiver.came[0]
    sent_at, _, given = headers[SIGNATURE_HEADER].removeprefix("t=").partition(",v1=")
    assert given == hmac.new(b"key", f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    message = json.loads(body)
    assert message["status"] == "firing"
    assert message["alert"]["name"] == "GpuHot"
    assert message["text"] == message["content"] == "warning: GPU ä is hot (cool it)"


async def test_message_without_a_secret_has_no_signature() -> None:
    async with hook() as (receiver, webhook):
        webhook.offer(alert())
        await until(lambda: receiver.came)
    assert SIGNATURE_HEADER not in receiver.came[0][0]


async def test_server_in_trouble_is_tried_again_and_gets_every_message_in_order() -> None:
    async with hook() as (receiver, webhook):
        receiver.answers = [503, 429]
        for name in ("first", "second"):
            webhook.offer(alert(name))
        await until(lambda: webhook.status.delivered == 2)
    assert [json.loads(body)["alert"]["name"] for _, body in receiver.came] == ["first"] * 3 + ["second"]
    assert webhook.status.last_error is None


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (404, 1), (302, 1), (500, 3)])
async def test_refusal_is_final_and_trouble_is_bounded(status: int, tries: int, caplog) -> None:
    async with hook() as (receiver, webhook):
        receiver.answers = [status] * 10
        webhook.offer(alert())
        await until(lambda: webhook.status.dropped == 1)
    assert len(receiver.came) == tries
    assert str(status) in webhook.status.last_error
    assert "the webhook did not take `GpuHot`" in caplog.text


async def test_nobody_listens_and_messages_do_not_pile_up() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        unused_tcp_port = free.getsockname()[1]
    settings = Settings(
        alert_webhook_url=f"http://127.0.0.1:{unused_tcp_port}/secret-path?key=1",
        alert_webhook_retry_seconds=30.0,
    )
    webhook = Webhook(settings, Proxies())
    for number in range(500):
        webhook.offer(alert(str(number)))
    await until(lambda: webhook.status.last_error is not None)
    status = webhook.status
    assert status.waiting <= 64
    assert status.dropped >= 500 - 65
    assert "secret-path" not in status.host
    await webhook.close()


def test_address_that_is_no_web_address_is_refused() -> None:
    with pytest.raises(ConfigError):
        Webhook(Settings(alert_webhook_url="ftp://example.com/x"), Proxies())


async def test_plain_http_to_a_public_address_is_refused_at_once() -> None:
    webhook = Webhook(Settings(alert_webhook_url="http://8.8.8.8/hook"), Proxies())
    webhook.offer(alert())
    await until(lambda: webhook.status.dropped == 1)
    assert "plain http" in webhook.status.last_error
    await webhook.close()


def test_secrets_of_the_webhook_are_in_no_repr() -> None:
    settings = Settings(alert_webhook_url="https://h/T0K3N", alert_webhook_secret="S3CR3T")
    assert "T0K3N" not in repr(settings)
    assert "S3CR3T" not in repr(settings)
