"""``python3 DIRECTORY``: make the directory a package, whatever it is called, and run it."""

import gc
import importlib.util
import os
import sys


def _run():
    # type: () -> int
    gc.disable()  # until the server answers; `lean` says why
    here = os.path.dirname(os.path.abspath(__file__))
    # Python put this directory first on sys.path; left there, our `settings.py` would shadow a user's own module.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    name = "_firstbell_singleuser"
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(here, "__init__.py"), submodule_search_locations=[here]
    )
    if spec is None or spec.loader is None:
        print("firstbell: the launcher in %s is damaged; create the server anew" % here, file=sys.stderr)
        return 78
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    from importlib import import_module

    return int(import_module(name + ".run").main())


if __name__ == "__main__":
    sys.exit(_run())
