"""Ray imports this in a worker that starts, see `autoft_autotune.ahead`."""

from autoft_autotune.ahead import import_libraries

import_libraries()
