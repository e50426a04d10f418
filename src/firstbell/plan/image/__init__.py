"""The course image: from what a folder holds to a Dockerfile, its context and its tag. Pure.

A `Dockerfile` is taken as it is. Otherwise the files that repo2docker users know, with the meaning that its
specification gives them (docs/conventions.md), are layers on top of Jupyter; notebooks and data come last, since they
change most.

Packages go into the system's own Python, not into a virtual environment: only there does what a user installs for
themselves (`%pip install` without root, in ~/.local) come before what the image holds, so that another version of a
package can be tried and lasts.
"""

from firstbell.plan.image.build import project_build
from firstbell.plan.image.facts import Entry, FolderFacts, Kind, Origin
from firstbell.plan.image.remarks import remarks

__all__ = ["Entry", "FolderFacts", "Kind", "Origin", "project_build", "remarks"]
