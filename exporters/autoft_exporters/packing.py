"""What the packagers share: a name that every system takes, and the graphs of a bundle."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from autoft.interfaces.packager import BundleFacts
from autoft_exporters.graphs import ENCODER_DECODER, SINGLE, graph_file

_LONGEST_NAME = 63


def service_name(bundle: BundleFacts) -> str:
    """`autoft-`, the task and the candidate, in lower-case letters, digits and single hyphens: a DNS label that begins with a letter, as
    Kubernetes wants for a service (RFC 1035, at most 63 characters), and a name that image registries and Triton take, too."""
    words = re.findall(r"[a-z0-9]+", f"{bundle.task} {bundle.candidate}".lower())
    return "-".join(["autoft", *words])[:_LONGEST_NAME].rstrip("-")


def tag(bundle: BundleFacts) -> str:
    """Twelve hexadecimal digits that tell this bundle from any other."""
    return bundle.sha256[:12]


def graphs(bundle: BundleFacts) -> dict[str, str]:
    """Name -> relative path of the graphs that are served: `model`, or `encoder_model` and `decoder_model`; none where another exporter
    than `onnx` wrote them."""
    for names in (ENCODER_DECODER, (SINGLE,)):
        found = {name: graph_file(name) for name in names}
        if all(path in bundle.files for path in found.values()):
            return found
    return {}


def filled(template: str, **values: object) -> str:
    """The text of a file of `templates/` with `$name` replaced; what is put in must have been checked."""
    text = Path(__file__).with_name("templates").joinpath(template).read_text(encoding="utf-8")
    return Template(text).substitute({name: str(value) for name, value in values.items()})
