# Made by Firstbell: hub, proxy and edge. What changes rarely comes first.
FROM debian:trixie-slim

# Mirrors for the steps below; without them, the usual places.
ARG APT_MIRROR
ARG PIP_INDEX_URL
COPY .firstbell/build/ /opt/firstbell/build/

RUN --mount=type=cache,id=firstbell,target=/var/cache/firstbell \
    /opt/firstbell/build/apt-install ca-certificates python3 python3-venv
ENV LANG=C.UTF-8

RUN /opt/firstbell/build/apt-install nftables && /opt/firstbell/build/add-user firstbell 64200

# JupyterHub, configurable-http-proxy with its node, and Caddy, in exact versions
ARG NPM_CONFIG_REGISTRY
COPY .firstbell/hub/ /opt/firstbell/hub/
RUN /opt/firstbell/hub/install /opt/firstbell/venv /opt/firstbell/proxy
ENV PATH=/opt/firstbell/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Firstbell itself
COPY .firstbell/wheel/ /opt/firstbell/wheel/
RUN /opt/firstbell/build/wheel-install /opt/firstbell/venv /opt/firstbell/wheel/firstbell-0.1.0-py3-none-any.whl

USER firstbell
WORKDIR /srv/firstbell
