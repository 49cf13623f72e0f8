"""What `pod up` tells people in words: passwords once, tuning, and a dry run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...engine.secret import access_secret
from ...errors import StowError
from ...records.pod import BootLine, BootState
from ..services.service import Missing, Service
from ..services.table import FILES_ACCOUNT
from .plan import PodPlan
from .report import rendered
from .tuning import Adjustment
from .wanted import Wishes


def show_secrets(plan: PodPlan, say: Callable[[str], None]) -> None:
    """Show the passwords that were made at this start, and never again."""
    for name in sorted(plan.passwords.made):
        account = f" (account {FILES_ACCOUNT})" if name == "files" else ""
        say(f"password of {name}{account}: {plan.passwords.by_service[name]}")
    if plan.access_secret_made:
        try:
            say(f"access secret of ComfyUI and the panel: {access_secret(plan.state_dir)}")
        except StowError as err:
            say(f"there is no access secret: {err.message}")


def tuning_lines(tuning: Sequence[Adjustment]) -> list[BootLine]:
    """Say what was set and why, and what somebody set that does nothing."""
    lines = []
    for item in tuning:
        if item.value is not None:
            lines.append(BootLine(state=BootState.OK, what=item.name, detail=f"{item.value}: {item.why}"))
        else:
            lines.append(BootLine(state=BootState.WARN, what=item.name, detail=f"has no effect: {item.why}"))
    return lines


def dry_run_lines(plan: PodPlan, wishes: Wishes) -> list[str]:
    """Say everything that would be done, without a secret."""
    lines = [f"provider: {plan.provider.name}" + (f" {plan.provider.pod_id}" if plan.provider.pod_id else "")]
    lines.append(f"volume: {plan.volume.path if plan.volume is not None else 'none'}")
    lines.append(f"state folder: {plan.state_dir}")
    lines += [f"{name}: {getattr(plan.layout, name)}" for name in ("user", "input", "output")]
    if plan.extra_model_paths is not None:
        lines += [f"{plan.extra_model_paths}:", *(f"  {line}" for line in plan.layout.yaml.splitlines())]
    for row in plan.rows:
        match row:
            case Missing():
                lines.append(f"{row.name}: off, {row.reason}")
            case Service():
                lines.append(f"{row.name}: {' '.join(row.words)}")
    for wish in wishes.all:
        lines.append(f"fetch: {wish.name}{', some of it before ComfyUI starts' if wish.before else ''}")
    lines += [f"cannot be read: {problem}" for problem in wishes.problems]
    report = [*tuning_lines(plan.tuning), *plan.report.lines(())]
    return [*lines, "", *rendered(report).splitlines()] if report else lines
