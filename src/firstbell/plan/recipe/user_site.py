"""Makes this Python look into $PYTHONUSERBASE for every user: after their own packages, before the image's."""

import os
import site
from pathlib import Path

own, image = Path(site.getusersitepackages()), Path(site.getsitepackages()[0])
own.mkdir(parents=True, exist_ok=True)
for folder in (own, own.parent, own.parent.parent):
    os.chown(folder, 1000, 1000)
# A plain path in a .pth file would come last; this also reads the .pth files in there (editable installs).
line = (
    f"import site, sys; _known = len(sys.path); site.addsitedir({str(own)!r}); _new = sys.path[_known:]; "
    f"del sys.path[_known:]; _at = sys.path.index({str(image)!r}); sys.path[_at:_at] = _new\n"
)
(image / "firstbell-post-build.pth").write_text(line, encoding="utf-8")
