"""What the packagers share: names that every system takes, and templates."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from autoft.interfaces.packager import BundleFacts

_LONGEST_NAME = 63


def service_name(bundle: BundleFacts) -> str:
    """`autoft-`, the task and the candidate, in lower-case letters, digits and single hyphens: a DNS label that begins with a letter, as
    Kubernetes wants for a service (RFC 1035, at most 63 characters), and a name that image registries and Triton take, too."""
    words = re.findall(r"[a-z0-9]+", f"{bundle.task} {bundle.candidate}".lower())
    return "-".join(["autoft", *words])[:_LONGEST_NAME].rstrip("-")


def tag(bundle: BundleFacts) -> str:
    """Twelve hexadecimal digits that tell this bundle from any other."""
    return bundle.sha256[:12]


def filled(template: str, **values: object) -> str:
    """The text of a file of `templates/` with `$name` replaced; what is put in must have been checked."""
    text = Path(__file__).with_name("templates").joinpath(template).read_text(encoding="utf-8")
    return Template(text).substitute({name: str(value) for name, value in values.items()})
