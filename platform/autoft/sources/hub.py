"""Weights from a model hub, through huggingface_hub: HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE count as ever."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from autoft.errors import SourceError
from autoft.sources.wheels import Progress

_FILES = [
    "config.json", "generation_config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt",
    "*.model", "*.spm",
]  # fmt: skip
_SAFE = ["model.safetensors", "model-*.safetensors", "model.safetensors.index.json"]
_BINARY = ["pytorch_model.bin", "pytorch_model-*.bin"]


def is_hub_id(text: str) -> bool:
    """Whether `text` has the form owner/name."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", text) is not None


def snapshot_at_hand(hub_id: str) -> Path | None:
    """The folder of a snapshot in the hub's own cache that has a configuration and weights, else None."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    config = try_to_load_from_cache(hub_id, "config.json")
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder and _has(folder, _SAFE + _BINARY) else None


def snapshot(hub_id: str, *, offline: bool, progress: Progress) -> Path:
    """The folder of the newest snapshot, downloaded as far as it is not at hand; .bin weights only where there are no others.

    Raises SourceError when it is unknown, gated or unreachable.
    """
    try:
        from huggingface_hub import errors
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError as error:
        raise SourceError(f"{hub_id}: huggingface_hub is not installed", hint='pip install "autoft[train]"') from error
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    disable_progress_bars()
    progress(f"{'looking up' if offline else 'downloading'} {hub_id}")
    try:
        folder = _download(hub_id, [*_FILES, *_SAFE], offline)
        if not _has(folder, _SAFE):
            folder = _download(hub_id, [*_FILES, *_BINARY], offline)
    except errors.GatedRepoError as error:
        hint = "accept them on its page, then: hf auth login"
        raise SourceError(f"{hub_id}: its owner asks you to accept the terms first", hint=hint) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(f"{hub_id}: the hub knows no such model, or it is private", hint="hf auth login, if it is yours") from error
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        raise SourceError(f"{hub_id}: {_reason(error, offline)}") from error
    if not (folder / "config.json").is_file() or not _has(folder, _SAFE + _BINARY):
        raise SourceError(f"{hub_id}: no config.json, or neither .safetensors nor .bin weights")
    return folder


def _download(hub_id: str, patterns: list[str], offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    return Path(str(snapshot_download(hub_id, allow_patterns=patterns, local_files_only=offline)))


def _has(folder: Path, patterns: list[str]) -> bool:
    return any(path.is_file() for pattern in patterns for path in folder.glob(pattern))


def _reason(error: Exception, offline: bool) -> str:
    from huggingface_hub import constants, errors

    if offline or constants.HF_HUB_OFFLINE:
        return "it is not in the hub's cache on this machine, and fetching is switched off"
    if isinstance(error, errors.LocalEntryNotFoundError) or "onnect" in type(error).__name__:
        return "the hub cannot be reached"
    return f"{type(error).__name__}: {error}".partition("\n")[0]
