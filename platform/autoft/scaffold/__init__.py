"""What `autoft plugins new` writes: a package that works as it is, made of the real files in `templates/`."""

from autoft.scaffold.lines import MOST, own_lines
from autoft.scaffold.package import KINDS, class_names, install_command, new_package, plugin_name, plugin_text

__all__ = ["KINDS", "MOST", "class_names", "install_command", "new_package", "own_lines", "plugin_name", "plugin_text"]
