"""A page of cards to print: a personal link for each person, as words and as a QR code."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import BytesIO

import segno

from firstbell.work.people import Invitation

_PER_PAGE = 8
_STYLE = """
@page { size: A4; margin: 10mm; }
* { box-sizing: border-box; }
body { margin: 0; font: 10pt/1.4 system-ui, sans-serif; color: #111; background: #eee; }
.note { max-width: 190mm; margin: 8mm auto; padding: 4mm 6mm; background: #fff3cd; border: 1px solid #d9b84a; }
.sheet { width: 190mm; height: 276mm; margin: 0 auto 8mm; background: #fff; display: grid;
         grid-template: repeat(4, 1fr) / repeat(2, 1fr); break-after: page; }
.sheet:last-child { break-after: auto; }
.card { padding: 7mm; border: .3mm dashed #999; margin: 0 -.3mm -.3mm 0; display: flex; gap: 5mm;
        align-items: center; overflow: hidden; }
.card svg { width: 34mm; height: 34mm; flex: none; }
.course { color: #555; font-size: 9pt; }
.name { font-size: 13pt; line-height: 1.2; font-weight: 600; overflow-wrap: anywhere; }
.link { font: 7.5pt/1.35 ui-monospace, monospace; overflow-wrap: anywhere; margin-top: 2mm; }
.until { color: #555; font-size: 8pt; margin-top: 1.5mm; }
@media print { .note { display: none; } body { background: #fff; } .sheet { margin: 0; } }
"""


def cards_page(title: str, invitations: Sequence[Invitation]) -> str:
    """An A4 page in HTML, eight cards to a sheet with cut lines; complete in itself."""
    sheets = [invitations[start : start + _PER_PAGE] for start in range(0, len(invitations), _PER_PAGE)]
    body = "\n".join(
        '<section class="sheet">\n' + "\n".join(_card(title, i) for i in sheet) + "\n</section>" for sheet in sheets
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}: cards</title>
<style>{_STYLE}</style>
<p class="note"><strong>Personal links.</strong> Each lets whoever has it in as that person, once. Print this page,
cut along the lines, hand each card to its person, and delete the file.</p>
{body}
</html>
"""


def _card(title: str, invitation: Invitation) -> str:
    who = invitation.name or invitation.username
    below = " · ".join(escape(part) for part in (title, invitation.section) if part)
    until = f'<div class="until">good once, until {escape(invitation.expires[:10])}</div>' if invitation.expires else ""
    return f"""<article class="card">
{_qr(invitation.link)}
<div>
<div class="course">{below}</div>
<div class="name">{escape(who)}</div>
<div>user name: <b>{escape(invitation.username)}</b></div>
<div class="link">{escape(invitation.link)}</div>
{until}
</div>
</article>"""


def _qr(text: str) -> str:
    out = BytesIO()
    segno.make_qr(text, error="m").save(out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=1, nl=False)
    return out.getvalue().decode()
