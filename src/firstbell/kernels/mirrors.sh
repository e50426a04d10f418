# Read by kernel-install: the mirrors that are build arguments, in the words of each language's own tool. Without one, its
# usual place. Every tool tries again by itself.
export CARGO_NET_RETRY=5
if [ -n "${bundle:-}" ]; then
    export CARGO_HTTP_CAINFO="$bundle"
fi
if [ -n "${CARGO_MIRROR:-}" ]; then
    mkdir -p "$HOME/.cargo"
    printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "sparse+%s/"\n' \
        "${CARGO_MIRROR%/}" >"$HOME/.cargo/config.toml"
fi
# An empty one would mean something else than none.
for variable in GOPROXY NPM_CONFIG_REGISTRY MAVEN_MIRROR CRAN_MIRROR; do
    eval "[ -n \"\${$variable:-}\" ]" || unset "$variable"
done
