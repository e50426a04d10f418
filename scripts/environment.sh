# environment DIR LOCK: a virtual environment in DIR/.venv that holds exactly what LOCK says, and Firstbell itself.
# Needs Python 3.11 or newer; says what it is doing only when there is something to do.

environment() {
  local here=$1 lock=$2 venv=$1/.venv python stamp
  python=$(find_python) || return 1
  stamp=$(cat "$lock" "$here/pyproject.toml" "$here/scripts/environment.sh" | sha256sum | cut -c1-16)-$(basename "$lock" .lock)
  # One at a time: two commands started together must not build one environment twice.
  exec 9>"$here/.venv.lock"
  flock 9
  if already_there "$venv" "$stamp"; then
    exec 9>&-
    return 0
  fi
  echo "Preparing Firstbell's Python environment (once) …" >&2
  if [ ! -x "$venv/bin/python" ]; then
    rm -rf "$venv"
    make_venv "$python" "$venv"
  fi
  install_lock "$here" "$venv" "$lock"
  echo "$stamp" >"$venv/firstbell.stamp"
  exec 9>&-
}

# What the tests need is more than what the command needs: either will do for the command.
already_there() {
  local venv=$1 stamp=$2 have
  have=$(cat "$venv/firstbell.stamp" 2>/dev/null || true)
  [ -x "$venv/bin/firstbell" ] || return 1
  [ "$have" = "$stamp" ] && return 0
  [ "${stamp#*-}" = requirements ] && [ "${have#*-}" = requirements-dev ] && [ "$venv/firstbell.stamp" -nt "$here/pyproject.toml" ] &&
    [ "$venv/firstbell.stamp" -nt "$here/requirements.lock" ]
}

find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  echo "Firstbell needs Python 3.11 or newer. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2
  return 1
}

make_venv() {
  local python=$1 venv=$2
  "$python" -m venv "$venv" 2>/dev/null && return 0
  rm -rf "$venv"
  # Debian keeps ensurepip in a package of its own.
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the package python3-venv …" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv; } >/dev/null
    "$python" -m venv "$venv" && return 0
  fi
  echo "Python cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2
  return 1
}

install_lock() {
  local here=$1 venv=$2 lock=$3 uv_pin
  uv_pin=$(grep -E -A99 '^uv==' "$here/scripts/uv.lock")
  retry "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r <(printf '%s\n' "$uv_pin") ||
    return 1
  export VIRTUAL_ENV=$venv
  retry "$venv/bin/uv" pip install -q --require-hashes -r "$lock"
  retry "$venv/bin/uv" pip install -q --no-deps --no-build-isolation --editable "$here"
}

# Three tries: a download that breaks off is no reason to stop.
retry() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" = 3 ] || { echo "That failed; trying again …" >&2 && sleep $((try * 2)); }
  done
  echo "Giving up on: $*" >&2
  return 1
}
