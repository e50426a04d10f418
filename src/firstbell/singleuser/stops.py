"""Reasons for which the launcher gives up, each with its exit code (BSD's ``sysexits.h``) and one line for people."""

EX_UNAVAILABLE = 69  #: the port is taken
EX_CANTCREAT = 73  #: the home cannot be written
EX_CONFIG = 78  #: image, settings or user are not what a server needs


class Stop(Exception):
    """The server cannot start: ``message`` says what happened and what to do, ``code`` is the exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
