"""Options that commands share, and what they lead to: the installation, its settings, its engine."""

from __future__ import annotations

import argparse
import os
import secrets

from ..config import Settings, load_settings, session_environment
from ..engine.installation import Installation, LayoutQuestion, find_installation
from ..engine.sync_client import SyncEngineClient
from ..records.json import to_json
from . import typed


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that works on an installation."""
    group = parser.add_argument_group("where (found by itself when run inside an installation)")
    group.add_argument("--comfyui", type=typed.path, metavar="DIR", help="a ComfyUI installation")
    group.add_argument("--models-dir", type=typed.path, metavar="DIR", help="a bare tree of models")
    group.add_argument("--state-dir", type=typed.path, metavar="DIR", help="where queue, log and credentials are kept")
    parser.add_argument("--json", action="store_true", help="print data for programs")


def installation_of(arguments: argparse.Namespace) -> Installation:
    """Return what the command works on. Raises: UsageError."""
    return find_installation(comfyui=arguments.comfyui, models_dir=arguments.models_dir, state_dir=arguments.state_dir)


def settings_of(installation: Installation) -> Settings:
    """Return the settings of the installation. Raises: ConfigError."""
    return load_settings(file=installation.state_dir / "settings.json")


def client_of(installation: Installation, *, start: bool = True) -> SyncEngineClient:
    """Return the way to the engine, without a session: for what needs neither folders nor tokens."""
    return SyncEngineClient(installation.state_dir, settings_of(installation), start=start)


def session_client_of(installation: Installation) -> SyncEngineClient:
    """Return the way to the engine as a session with the installation's folders and our environment."""
    question = LayoutQuestion(installation)  # answers while the engine starts
    client = SyncEngineClient(installation.state_dir, settings_of(installation))
    client.introduce(
        lambda: {
            "server_id": f"command-{os.getpid()}-{secrets.token_hex(4)}",
            "layout": to_json(question.answer()),
            "environment": session_environment(os.environ),
        }
    )
    return client
