# The peer's user image with its hub, spawner and proxy, for a hub that is a service itself.
ARG PEER_IMAGE
FROM ${PEER_IMAGE}
USER root
ARG PIP_INDEX_URL
COPY ca.crt /tmp/ca.crt
RUN cat /etc/ssl/certs/ca-certificates.crt >>/tmp/ca.crt; \
    PIP_CERT=/tmp/ca.crt python3 -m pip install --quiet --no-cache-dir --retries 5 --root-user-action=ignore \
        --disable-pip-version-check jupyterhub==6.1.1 dockerspawner==14.0.0 \
    && rm /tmp/ca.crt
COPY proxy /opt/proxy
COPY swarm_config.py /srv/config.py
CMD ["jupyterhub", "--config", "/srv/config.py"]
