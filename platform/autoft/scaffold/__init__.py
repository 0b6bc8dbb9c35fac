"""What `autoft plugins new` writes: a package that works as it is, made of the real files in `templates/`."""

from autoft.scaffold.lines import MOST, own_lines
from autoft.scaffold.package import KINDS, new_package, plugin_text

__all__ = ["KINDS", "MOST", "new_package", "own_lines", "plugin_text"]
