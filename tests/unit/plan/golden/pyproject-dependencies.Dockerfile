# Made by Firstbell from pyproject.toml. What changes rarely comes first.
FROM debian:trixie-slim

# Mirrors for the steps below; without them, the usual places.
ARG APT_MIRROR
ARG PIP_INDEX_URL
COPY .firstbell/build/ /opt/firstbell/build/

RUN --mount=type=cache,id=firstbell,target=/var/cache/firstbell \
    /opt/firstbell/build/apt-install ca-certificates python3 python3-venv
ENV LANG=C.UTF-8

# Who works in it. What they install has its commands in ~/.local/bin.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/home/jovyan/.local/bin \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN /opt/firstbell/build/add-user jovyan 1000 \
    && ln -s /usr/bin/python3 /usr/local/bin/python \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED

# Jupyter in exact versions. In no environment of its own, so that what a user installs goes before it.
COPY .firstbell/server/ /opt/firstbell/server/
RUN --mount=type=cache,id=firstbell,target=/var/cache/firstbell \
    /opt/firstbell/build/uv-pip --system --require-hashes --no-deps -r /opt/firstbell/server/server.lock

# pyproject.toml, resolved together with Jupyter's own ranges
COPY .firstbell/python/ /opt/firstbell/python/
RUN --mount=type=cache,id=firstbell,target=/var/cache/firstbell \
    /opt/firstbell/build/uv-pip --system \
    -r /opt/firstbell/python/pyproject.toml -r /opt/firstbell/server/server.in

# For `docker run` without Firstbell: JupyterLab in a home with the project's files
COPY .firstbell/entry/ /opt/firstbell/

USER jovyan
WORKDIR /home/jovyan
CMD ["/opt/firstbell/serve"]

# The project's files, from which new homes are filled.
COPY project/ /opt/firstbell/project/
