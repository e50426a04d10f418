# Read by conda-install and conda-lock: py-rattler, which solves and installs, fetched for this step and gone after it.
. /opt/firstbell/build/network.sh
here=/opt/firstbell/conda
cache=${kept:-$scratch}/conda
pip=$(find /usr/share/python-wheels -name 'pip-*.whl' | head -n 1)
/usr/bin/python3 "$pip/pip" --quiet --disable-pip-version-check install --retries 5 --no-cache-dir --no-compile --no-deps \
    --root-user-action=ignore --require-hashes --target "$scratch/rattler" --requirement "$here/rattler.lock"
conda_install() {
    PYTHONPATH="$scratch/rattler" PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -u "$here/conda_install.py" "$@"
}
