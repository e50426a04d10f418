"""Whether a browser would take a certificate: by the handshake it would make, in memory, with the standard library."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

from firstbell.model.course import CertificateFiles
from firstbell.plan.doctor_facts import Certificate

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


def judge(files: CertificateFiles, host: str) -> Certificate:
    """Key and certificate belong together, the name is in it, it is valid today; never raises.

    The authority is not judged, a school's own is as good: the certificate itself is taken as the anchor.
    """
    path = str(files.cert)
    try:
        leaf, count = _leaf(files.cert.read_text())
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(files.cert, files.key)
        client = ssl.create_default_context(cadata=leaf)
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        found = _handshake(server, client, host)
    except ssl.SSLCertVerificationError as error:
        return Certificate(path, refusal=error.verify_message)
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        return Certificate(path, refusal=reason)
    except (OSError, ValueError) as error:
        return Certificate(path, refusal=(getattr(error, "strerror", None) or str(error)).lower())
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    is_own_authority = found.get("issuer") == found.get("subject")
    return Certificate(path, expires, lacks_chain=count == 1 and not is_own_authority)


def _leaf(pem: str) -> tuple[str, int]:
    """The first certificate of a PEM file, and how many there are."""
    if _BEGIN not in pem or _END not in pem:
        raise ValueError("there is no PEM certificate in the file")
    start = pem.index(_BEGIN)
    return pem[start : pem.index(_END, start) + len(_END)], pem.count(_BEGIN)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> dict[str, Any]:
    """The certificate as the client accepted it. Raises SSLCertVerificationError where it does not."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    done = [False, False]
    for _ in range(10):
        for index, end in enumerate(ends):
            try:
                if not done[index]:
                    end.do_handshake()
                    done[index] = True
            except ssl.SSLWantReadError:
                pass
        if all(done):
            break
    return dict(ends[0].getpeercert() or {})
