"""What `auth test` learns of a token."""

from __future__ import annotations

import pytest
from comfystow.core.errors import AuthRequiredError, UsageError
from comfystow.core.sources.account import check_token


@pytest.mark.parametrize(
    ("provider", "user"), [("huggingface", "stow-reader"), ("hf", "stow-reader"), ("civitai", "stow_member")]
)
async def test_a_good_token_names_its_owner(way, provider: str, user: str) -> None:
    account = await check_token(way.client, way.settings, way.member, provider)
    assert account.user == user
    assert account.scope


@pytest.mark.parametrize(("provider", "variable"), [("huggingface", "HF_TOKEN"), ("civitai", "CIVITAI_TOKEN")])
async def test_a_bad_or_missing_token_says_what_to_do(way, provider: str, variable: str) -> None:
    with pytest.raises(AuthRequiredError, match="does not take the token") as caught:
        await check_token(way.client, way.settings, way.tokens(**{variable: "wrong-token"}), provider)
    assert "wrong-token" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(AuthRequiredError, match="no token") as caught:
        await check_token(way.client, way.settings, way.nobody, provider)
    assert f"auth set {provider}" in (caught.value.hint or "")


async def test_a_hosts_token_cannot_be_tested(way) -> None:
    with pytest.raises(UsageError, match="cannot be tested"):
        await check_token(way.client, way.settings, way.nobody, "models.example.com")
