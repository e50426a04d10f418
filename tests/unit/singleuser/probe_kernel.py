"""Run in a kernel: prints, as JSON, what a program there can find out about its process, its Python and its IPython."""

# mypy: ignore-errors
# ruff: noqa: E401, F821, I001, PTH109, PTH115, PTH123, PTH208, SIM115
import gc, locale, logging, os, re, resource, signal, stat, sys, threading, warnings
import json as _json

_shell = get_ipython()
_status = dict(line.split(":", 1) for line in open("/proc/self/status"))
_stdin = os.fstat(0)


def _descriptors():
    """The kinds of open files; how many depends on which of ipykernel's threads has said something yet."""
    kinds = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            kinds.add(re.sub("[0-9]+", "N", os.readlink("/proc/self/fd/" + name)))
        except OSError:
            pass
    # SQLite, which keeps the history in a thread of its own, has these open for the moment of a commit: the second is
    # the folder, synchronised after its journal (sqlite.org/atomiccommit.html, section 3.7).
    return sorted(kind for kind in kinds if not kind.endswith(("-journal", "/profile_default")))


print(
    _json.dumps(
        {
            "sys.path": sys.path,
            "sys.argv": sys.argv,
            "sys.orig_argv": getattr(sys, "orig_argv", None),
            "command line": open("/proc/self/cmdline").read().split("\0"),
            "name": open("/proc/self/comm").read(),
            "folder": os.getcwd(),
            "the kernel's folder": os.readlink("/proc/self/cwd"),
            "_dh": [str(folder) for folder in _dh],
            "environment": list(os.environ.items()),
            "modules": sorted(sys.modules),
            "path_importer_cache": sorted(sys.path_importer_cache),
            "meta_path": [type(finder).__name__ for finder in sys.meta_path],
            "flags": [str(sys.flags), sys.warnoptions, sys._xoptions],
            "warnings": [str(entry) for entry in warnings.filters],
            "threads": sorted(re.sub("[0-9]+", "N", thread.name) for thread in threading.enumerate()),
            "signals": {str(i): str(signal.getsignal(i)).split(" at ")[0] for i in signal.valid_signals()},
            "signal masks": [_status[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
            "umask": _status["Umask"],
            "priority": [os.getpriority(0, 0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))],
            "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT" in name},
            "killed at": open("/proc/self/oom_score_adj").read(),
            "cgroup": open("/proc/self/cgroup").read(),
            "leads its group and session": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()],
            "parent": os.getppid(),
            "descriptors": _descriptors(),
            "standard input": [stat.S_ISFIFO(_stdin.st_mode), os.read(0, 1).decode(), os.get_inheritable(0)],
            "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
            "recursion": sys.getrecursionlimit(),
            "locale": locale.setlocale(locale.LC_ALL),
            "__main__": [sorted(sys.modules["__main__"].__dict__), str(sys.modules["__main__"])],
            "loggers": sorted(logging.root.manager.loggerDict),
            "tornado's handlers": len(logging.getLogger("tornado").handlers),
            "cell": _shell.execution_count,
            "names": sorted(name for name in _shell.user_ns),
            "session": _shell.user_ns.get("__session__"),
            "extensions": sorted(_shell.extension_manager.loaded),
            "connection": _shell.kernel.parent.abs_connection_file,
            "parent watched": [_shell.kernel.parent.parent_handle, type(_shell.kernel.parent.poller).__name__],
            "hooks": [sys.gettrace(), sys.getprofile(), sys.excepthook.__qualname__, type(sys.displayhook).__name__],
            "streams": [type(stream).__name__ for stream in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__)],
            "Python": [sys.prefix, sys.exec_prefix, sys.executable],
            "folder when multiprocessing was loaded": __import__("multiprocessing.process").process.ORIGINAL_DIR,
            "who remembers the waiting": [
                f"{module}.{name}"
                for module, loaded in list(sys.modules.items())
                for name, value in list(getattr(loaded, "__dict__", {}).items())
                if isinstance(value, str) and "singleuser/waiting" in value and module != "__main__"
            ],
        }
    )
)
