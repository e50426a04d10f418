# Read by kernel-install: mirrors and authorities in the words of each language's own tool. Without a mirror, the tool's
# own usual place. Where the builder has a cache for scripts ($kept), compilers go on from what they made before.
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
if [ -n "${kept:-}" ]; then
    export GOMODCACHE="$kept/go/modules" GOCACHE="$kept/go/builds" CARGO_TARGET_DIR="$kept/cargo"
else
    export GOMODCACHE="$scratch/go/modules" GOCACHE="$scratch/go/builds" CARGO_TARGET_DIR="$scratch/cargo"
fi
