"""The edge's configuration: what faces the network, as a Caddyfile."""

from __future__ import annotations

from urllib.parse import urlsplit

from firstbell.model.course import CertificateFiles, Course
from firstbell.model.runtime import HUB_ROOT
from firstbell.plan import static_files

CERT_FILE = f"{HUB_ROOT}/tls/cert.pem"
KEY_FILE = f"{HUB_ROOT}/tls/key.pem"
DATA_DIR = "/srv/firstbell/certificates"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_RESTARTING = """\
<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>One moment</title><noscript><meta http-equiv="refresh" content="3"></noscript>
<script>setTimeout(() => location.reload(), 3000)</script>
<style>
:root{color-scheme:light dark;--ground:#f6f4ef;--ink:#1d2529}
@media(prefers-color-scheme:dark){:root{--ground:#14191c;--ink:#eceae5}}
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}
html{background:var(--ground);color:var(--ink)}
</style>
<h1>One moment</h1>
<p>The hub is starting or being renewed. This page tries again by itself; running notebooks go on.</p>
</html>"""
"""Shown by the edge itself while the proxy is away."""


def caddyfile(course: Course, proxy_url: str, hub_url: str) -> str:
    """The Caddyfile of a course: TLS as its file says, compression, headers, limits, everything on to hub and proxy.

    The hub never moves, so its pages take no way through the proxy, which asks it anew over a new connection each
    time; and the course's own address leads to the login at once, instead of by two redirects of the hub's.
    No time limit on bodies or streams: uploads and websockets last for hours; headers must arrive in 10 s.
    """
    return f"""\
{{
	admin off
	persist_config off
{_auto_https(course)}	storage file_system {DATA_DIR}
	grace_period 5s
	log {{
		output stderr
		level WARN
	}}
	servers {{
		protocols h1 h2
		max_header_size 64KB
		timeouts {{
			read_header 10s
			idle 5m
		}}
	}}
}}

{_addresses(course)} {{
{_bind(course)}{_tls(course)}	header {{
		-Server
		-Via
		X-Content-Type-Options nosniff
		Referrer-Policy strict-origin-when-cross-origin
		Permissions-Policy "browsing-topics=()"
{_hsts(course)}	}}
	request_body {{
		max_size 2GB
	}}
{static_files.site(course)}	handle {{
		@compressible not header Accept text/event-stream
		encode @compressible zstd gzip
		@front {{
			method GET HEAD
			path {course.base_url}
			vars {{query}} ""
		}}
		redir @front {course.base_url}hub/login 302
		@hub path {course.base_url}hub {course.base_url}hub/*
{_reverse_proxy(hub_url, "@hub ")}{_reverse_proxy(proxy_url)}	}}
{static_files.not_found(course)}	handle_errors 502 503 504 {{
		header Content-Type "text/html; charset=utf-8"
		header Retry-After 3
		respond `{_RESTARTING}` 503
	}}
}}
"""


def is_loopback(course: Course) -> bool:
    """Whether the course's URL is for this machine alone."""
    return course.host in _LOOPBACK


def _reverse_proxy(url: str, matcher: str = "") -> str:
    return f"""\
		reverse_proxy {matcher}{urlsplit(url).netloc} {{
			flush_interval -1
			stream_close_delay 1h
			transport http {{
				dial_timeout 3s
				keepalive 90s
				keepalive_idle_conns_per_host 256
			}}
		}}
"""


def _auto_https(course: Course) -> str:
    if not course.is_https:
        return "	auto_https off\n"
    return "" if course.port == 443 else "	auto_https disable_redirects\n"


def _addresses(course: Course) -> str:
    if course.is_https:
        return f"https://{_bracketed(course.host)}:{course.port}"
    # Any Host header: people reach a plain-HTTP course through tunnels and by address, too.
    return f"http://:{course.port}"


def _bind(course: Course) -> str:
    if not is_loopback(course):
        return ""
    addresses = "127.0.0.1 [::1]" if course.host == "localhost" else _bracketed(course.host)
    return f"	bind {addresses}\n"


def _tls(course: Course) -> str:
    if not course.is_https or course.tls == "auto":
        return ""
    if isinstance(course.tls, CertificateFiles):
        return f"	tls {CERT_FILE} {KEY_FILE}\n"
    return "	tls internal\n"


def _hsts(course: Course) -> str:
    if not course.is_https or course.tls == "internal":
        return ""
    return "		Strict-Transport-Security max-age=31536000\n"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
