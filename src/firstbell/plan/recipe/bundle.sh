#!/bin/sh
# `./firstbell up` brings the course up on this machine, which needs the Docker Engine and nothing else.
# Any other command of Firstbell works the same way; its paths are those below the folder of the course.
# Made by Firstbell @VERSION@.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

fail() {
    printf 'Error: %s\n  next:  %s\n' "$2" "$3" >&2
    exit "$1"
}

socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
case $socket in
unix://*) socket=${socket#unix://} ;;
*) fail 3 "DOCKER_HOST is $socket, and the course wants an engine of this machine" 'unset DOCKER_HOST' ;;
esac
command -v docker >/dev/null 2>&1 ||
    fail 3 'there is no docker command' 'Install the Docker Engine, 20.10 or newer.'
arch=$(docker version --format '{{.Server.Arch}}' 2>/dev/null) ||
    fail 3 'the Docker Engine does not answer, or not to this account' 'See why with: docker version'
[ "$arch" = @ARCHITECTURE@ ] ||
    fail 4 "the images are for @ARCHITECTURE@, and this machine is $arch" 'Make the bundle on a machine like this one.'

for image in @IMAGES@; do
    docker image inspect "$image" >/dev/null 2>&1 && continue
    printf 'Loading the images of the course …\n' >&2
    docker load --input "$here/@ARCHIVE@" >&2 ||
        fail 4 'the images could not be loaded' 'See above; `docker system df` shows what takes the disk.'
    break
done

# What is put before the command's own words, last first.
set -- --entrypoint firstbell @HUB@ "$@"
set -- --workdir "$here/@FOLDER@" "$@"
set -- --volume "$here:$here" --volume "$socket:$socket" "$@"
@MOUNTS@
[ -w /run/lock ] && set -- --volume /run/lock:/run/lock "$@"
set -- --env HOME=/tmp --env "TMPDIR=$here" --env TERM --env NO_COLOR --env "DOCKER_HOST=unix://$socket" "$@"
set -- --env HTTP_PROXY --env HTTPS_PROXY --env NO_PROXY --env http_proxy --env https_proxy --env no_proxy "$@"
@ENVIRONMENT@
[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && set -- --tty "$@"
exec docker run --rm --interactive --init --pull never --network host --user "$(id -u):$(id -g)" \
    --group-add "$(stat -Lc %g "$socket")" "$@"
