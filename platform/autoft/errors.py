"""Every error autoft raises on purpose.

An `AutoftError` is shown to the user as its message and its hint, without a traceback; anything else is a bug.
"""

from __future__ import annotations


class AutoftError(Exception):
    """What happened and where; `hint` says what to do about it. `exit_code` is the command's exit status."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between Ray processes.
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[AutoftError], message: str, hint: str | None) -> AutoftError:
    return kind(message, hint=hint)


class InputError(AutoftError):
    """The user's input is refused; nothing has been written."""

    exit_code = 2


class DataError(InputError):
    """A data file, a column or a row cannot be used."""


class UnknownFormatError(DataError):
    """No reader takes such a file, or such a folder."""


class SettingsError(InputError):
    """A flag, an environment variable or a settings file holds a value that cannot be used."""


class SourceError(InputError):
    """Pretrained weights are unknown, absent, unreachable or damaged."""


class BundleError(InputError):
    """A folder is no bundle, or its files are not those that were proved."""


class PluginError(InputError):
    """A plugin is missing, does not load or clashes with another."""


class ExportError(AutoftError):
    """A model could not be exported, or its export was refused by the proof."""


class TrialError(AutoftError):
    """A trial could not go on; the run does."""


class RunFailed(AutoftError):  # noqa: N818
    """No trial of the run gave a model that could be exported and proved."""
