"""Keeps secrets out of the log: whatever a library thinks worth logging, tokens and codes are not in it."""

from __future__ import annotations

import logging
import re

_IN_URLS = re.compile(r"([?&](?:[\w.-]*token|code|state|_xsrf|code_verifier)=)[^&\s\"')]+", re.IGNORECASE)
_IN_HEADERS = re.compile(r"((?:token|bearer)\s+)[A-Za-z0-9_\-.~+/=]{16,}", re.IGNORECASE)


class Redact(logging.Filter):
    """A filter for log handlers; ``secrets`` are replaced wherever they stand."""

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True  # a malformed record: logging itself reports it
        clean = self.clean(text)
        if clean != text:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            # Formatted here, because a traceback quotes the arguments of the exception.
            record.exc_text = self.clean(logging.Formatter().formatException(record.exc_info))
        return True

    def clean(self, text: str) -> str:
        """``text`` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return _IN_HEADERS.sub(r"\1[secret]", _IN_URLS.sub(r"\1[secret]", text))
