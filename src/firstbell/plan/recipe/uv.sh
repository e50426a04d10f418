# Read by the scripts that use uv, after network.sh: fetches it, as $uv. Neither uv nor what it keeps for the next build is
# in the image.
if ! [ -x "${uv:-}" ]; then
    folder=${kept:-$scratch}/uv-$(cksum <"$build/uv.lock" | cut -d ' ' -f 1)
    if ! [ -x "$folder/bin/uv" ]; then
        pip=$(find /usr/share/python-wheels -name 'pip-*.whl' | head -n 1)
        fetched=$(mktemp -d "${kept:-$scratch}/fetched-XXXXXX")
        /usr/bin/python3 "$pip/pip" --quiet --disable-pip-version-check install --retries 5 --no-cache-dir \
            --no-compile --no-deps --root-user-action=ignore --require-hashes --target "$fetched" \
            --requirement "$build/uv.lock"
        # Another build may have been first; its own is as good.
        mv -T "$fetched" "$folder" 2>/dev/null || rm -rf "$fetched"
    fi
    export uv="$folder/bin/uv"
fi
export NO_COLOR=1 UV_HTTP_RETRIES=5 UV_NO_PROGRESS=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
if [ -n "$kept" ]; then export UV_CACHE_DIR="$kept/uv"; else export UV_NO_CACHE=1; fi
# uv_by_line ARGUMENT…: uv writes word by word; sed makes lines of it, so that progress is shown and failures are quoted
# by the line.
uv_by_line() {
    mkfifo "$scratch/lines"
    sed --unbuffered '' <"$scratch/lines" &
    code=0
    "$uv" "$@" >"$scratch/lines" 2>&1 || code=$?
    wait
    return "$code"
}
