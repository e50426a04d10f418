# Read by the other scripts: the way out of the network while an image is built, and what builds keep for each other.
# Authorities come as a file, mirrors as build arguments, proxies as Docker's predefined ones; none of them stays in the
# image's environment.
build=/opt/firstbell/build
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# What was fetched and compiled, for later builds: a cache of the builder's where it has one mounted there, else nothing.
kept=/var/cache/firstbell
grep -q " $kept " /proc/self/mountinfo || kept=
if [ -s "$build/ca.crt" ]; then
    bundle=$scratch/ca.crt
    cat /etc/ssl/certs/ca-certificates.crt "$build/ca.crt" >"$bundle" 2>/dev/null || cat "$build/ca.crt" >"$bundle"
    # apt fetches as a user of its own.
    chmod 755 "$scratch"
    export SSL_CERT_FILE="$bundle" PIP_CERT="$bundle" NODE_EXTRA_CA_CERTS="$bundle"
fi
if [ -n "${PIP_INDEX_URL:-}" ]; then
    export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    case $PIP_INDEX_URL in
    http://*)
        host=${PIP_INDEX_URL#http://}
        host=${host%%/*}
        export PIP_TRUSTED_HOST="${host##*@}"
        ;;
    esac
fi
