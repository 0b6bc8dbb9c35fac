"""A folder from which a container image is built, and a Kubernetes manifest that runs it."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from autoft.errors import BundleError, ExportError
from autoft.interfaces.packager import BundleFacts, Packaged
from autoft.interfaces.tuner import PluginFile
from autoft.version import __version__
from autoft_exporters.packing import filled, service_name, tag

PORT = 8000
USER = 10001
"""A user, and a group, that no file of the image belongs to but the bundle."""
ANSWERS_DEPEND_ON = ("numpy", "onnxruntime", "tokenizers")

HEALTH = f"http://127.0.0.1:{PORT}/health/ready"
# Without a proxy: an image's environment may name one, and this is the container itself.
_HEALTH_CHECK = f"from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({{}})).open({HEALTH!r}, timeout=4)"

_VERSION = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?", re.ASCII)  # as PEP 440 writes it
_REQUIREMENT = re.compile(rf"[A-Z0-9][A-Z0-9._-]*=={_VERSION.pattern}", re.ASCII | re.IGNORECASE)

_STEP = 64
"""MiB to which memory is rounded up."""


class Docker:
    """The plugin. The folder is the whole context of the build: the bundle and the plugin files that it names lie in it, and `wheels/`, for
    what no package index has."""

    name = "docker"
    summary = "a Dockerfile with all that it needs, and a Kubernetes manifest"

    def package(self, bundle: BundleFacts, folder: Path) -> Packaged:
        """Raises BundleError where autoft.json names a version that is none, ExportError where a plugin's package has no plain version."""
        plugins = {_file_name(plugin): _content(plugin) for plugin in bundle.plugin_files}
        texts = {
            "Dockerfile": _dockerfile(bundle, list(plugins)),
            ".dockerignore": filled("dockerignore"),
            "requirements.txt": filled("requirements.txt", requirements="\n".join(_requirements(bundle))),
            "wheels/README.md": filled("wheels.md", autoft=bundle.autoft),
            "kubernetes.yaml": _kubernetes(bundle),
        }
        contents = {name: text.encode() for name, text in texts.items()} | {f"plugins/{name}": content for name, content in plugins.items()}
        for name, content in contents.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        for name in bundle.files:
            (folder / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.folder / name, folder / "bundle" / name)
        return Packaged((*contents, *(f"bundle/{name}" for name in bundle.files)), _next_steps(bundle))


def _dockerfile(bundle: BundleFacts, plugins: Sequence[str]) -> str:
    paths = [f"/plugins/{name}" for name in plugins]
    command = ["autoft", "serve", "/bundle", "--host", "0.0.0.0", "--port", str(PORT)]
    command += [word for path in paths for word in ("--plugin", path)]
    opened = f"import autoft; autoft.load('/bundle', plugins={paths!r})"
    return filled(
        "Dockerfile",
        name=service_name(bundle),
        tag=tag(bundle),
        writer=__version__,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        user=USER,
        port=PORT,
        plugins=f"COPY --chown={USER}:{USER} plugins/ /plugins/\n" if paths else "",
        check=json.dumps(["python", "-c", opened]),
        health=json.dumps(["python", "-c", _HEALTH_CHECK]),
        command=json.dumps(command),
    )


def _kubernetes(bundle: BundleFacts) -> str:
    size = sum(bundle.files[path] for path in bundle.graphs or bundle.files) / 2**20
    return filled(
        "kubernetes.yaml",
        name=service_name(bundle),
        tag=tag(bundle),
        writer=__version__,
        user=USER,
        port=PORT,
        megabytes=f"{size:,.1f}",
        request=_rounded(192 + 2 * size),
        limit=_rounded(384 + 4 * size),
    )


def _rounded(megabytes: float) -> int:
    return int(-(-megabytes // _STEP)) * _STEP


def _requirements(bundle: BundleFacts) -> list[str]:
    """Lines for pip: autoft as it wrote the bundle, and what answers depend on as the bundle, or else this environment, has it."""
    pins = [f"autoft[serve]=={_checked(bundle, 'autoft', bundle.autoft)}"]
    for name in ANSWERS_DEPEND_ON:
        found = bundle.versions.get(name) or _installed(name)
        if found is not None:
            pins.append(f"{name}=={_checked(bundle, name, found)}")
    odd = next((line for line in bundle.requirements if not _REQUIREMENT.fullmatch(line)), None)
    if odd is not None:
        raise ExportError(f"the bundle needs the plugin {odd!r}, which pip cannot be asked for", hint="give it a plain version")
    return [*pins, *bundle.requirements]


def _checked(bundle: BundleFacts, name: str, found: str) -> str:
    if not _VERSION.fullmatch(found):
        raise BundleError(f"autoft.json of {bundle.folder} names a version of {name} that is none: {found!r}")
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _file_name(plugin: PluginFile) -> str:
    """One that needs no quotes anywhere, and no other file has."""
    plain = "_".join(re.findall("[A-Za-z0-9]+", Path(plugin.name).stem)) or "plugin"
    return f"{plain[:40]}_{plugin.sha256[:8]}.py"


def _content(plugin: PluginFile) -> bytes:
    """The file as it was read: its sha256 is what the bundle names."""
    plain = plugin.text.encode()
    return plain if hashlib.sha256(plain).hexdigest() == plugin.sha256 else codecs.BOM_UTF8 + plain


def _next_steps(bundle: BundleFacts) -> tuple[str, ...]:
    image = f"{service_name(bundle)}:{tag(bundle)}"
    return (
        *_wheel_step("autoft", bundle.autoft),
        *(step for name, _, wanted in (one.partition("==") for one in bundle.requirements) for step in _wheel_step(name, wanted)),
        *(f"if {plugin.name!r} imports packages that autoft does not need, add them to requirements.txt" for plugin in bundle.plugin_files),
        f"docker build --tag {image} .",
        f"docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --publish 127.0.0.1:{PORT}:{PORT} {image}",
        "kubectl apply --filename kubernetes.yaml, once the image is where the cluster finds it",
    )


def _wheel_step(name: str, wanted: str) -> tuple[str, ...]:
    """What to put into wheels/ where this autoft, or a plugin's package, did not come from a package index."""
    origin, here = _origin(name), __version__ if name == "autoft" else wanted
    if origin is None:
        return ()
    if wanted != here:
        return (f"put the wheel of autoft {wanted}, which wrote the bundle, into wheels/ (this is autoft {here})",)
    if origin.endswith(".whl"):
        return (f"cp {shlex.quote(origin)} wheels/",)
    return (f"pip wheel --no-deps --wheel-dir wheels {shlex.quote(origin)}",)


def _origin(name: str) -> str | None:
    """The folder or the wheel from which a package was installed; None for a package index."""
    try:
        text = distribution(name).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlsplit(json.loads(text)["url"]) if text else None
    return url2pathname(url.path) if url and url.scheme == "file" else None
