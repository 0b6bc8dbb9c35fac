"""A Ray cluster that is there already: found within seconds, or refused with the reason."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from autoft.errors import SettingsError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""For the process that asks: it imports Ray first, on a machine that may be busy."""

_PROBE = """
import sys
import ray
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray._private.services import find_node_ids

if not find_node_ids():
    sys.exit("no node of Ray")
maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
print(ray.get_runtime_context().gcs_address)
"""
"""Ray's own attempts last for minutes where nobody answers, and cannot be cut short: so a process of its own makes the first."""

_TOKEN = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token gives the cluster's token; ray get-auth-token prints it on a node"
_REASONS = (
    (
        "no node of Ray",
        "this machine is no node of a Ray cluster",
        "ray start --address=HOST:PORT --num-cpus=0 makes it one that runs no trial",
    ),
    ("Could not find any running Ray instance", "no Ray cluster runs on this machine", "--ray-address HOST:PORT names one"),
    ("No node info found", "this machine is no node of that cluster", "ray start --address=HOST:PORT --num-cpus=0 makes it one"),
    ("no authentication token was found", "RAY_AUTH_MODE is token, and there is no token", _TOKEN),
    ("InvalidAuthToken", "the cluster wants a token, and the one given is wrong, or none is", _TOKEN),
    ("Version mismatch", "its Ray or its Python is of another version than here", "install the same versions here and on the nodes"),
)
"""What Ray says, what it means, what to do about it."""


def reach(address: str) -> str:
    """HOST:PORT of the cluster at `address`, see `autoft.settings.parse_ray_address`, once it has let a process of this machine in.

    Ray's own token is used where there is one. Raises SettingsError.
    """
    if address != "auto":
        _connect(address)
    environment = {**os.environ, "RAY_gcs_server_port_wait_time_s": "1"}
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _PROBE, address], capture_output=True, text=True, timeout=ANSWER_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise _refused(address, f"no Ray answered within {ANSWER_SECONDS:.0f} s", "HOST:PORT is what ray start --head printed") from None
    if asked.returncode == 0:
        return asked.stdout.split()[-1]
    for said, reason, hint in _REASONS:
        if said in asked.stderr:
            raise _refused(address, reason, hint)
    lines = asked.stderr.strip().splitlines()
    raise _refused(address, lines[-1] if lines else f"Ray ended with {asked.returncode}", "ray status, on a node, tells how the cluster is")


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise _refused(address, f"nobody answers there: {error.strerror or error}", "ray start --head prints the address") from None


def _refused(address: str, reason: str, hint: str) -> SettingsError:
    return SettingsError(f"--ray-address {address}: {reason}", hint=hint)
