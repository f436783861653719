#!/usr/bin/env bash
# Makes .venv ready: `scripts/setup.sh` to run the program, `scripts/setup.sh test` to test it too.
# Does nothing (in milliseconds) while pyproject.toml and the Python are those of the last time.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose="${1:-run}"

# Shared library and the Debian package that holds it: what Qt needs without a screen, and on an X11 screen.
qt_needs="libEGL.so.1:libegl1 libGL.so.1:libgl1 libxkbcommon.so.0:libxkbcommon0 libdbus-1.so.3:libdbus-1-3
  libfontconfig.so.1:libfontconfig1 libglib-2.0.so.0:libglib2.0-0"
x11_needs="libxcb-cursor.so.0:libxcb-cursor0 libxcb-icccm.so.4:libxcb-icccm4 libxcb-keysyms.so.1:libxcb-keysyms1
  libxcb-image.so.0:libxcb-image0 libxcb-render-util.so.0:libxcb-render-util0 libxcb-shape.so.0:libxcb-shape0
  libxcb-xkb.so.1:libxcb-xkb1 libxkbcommon-x11.so.0:libxkbcommon-x11-0"

say() { printf '%s\n' "$*" >&2; }

find_python() {
  local name
  for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  say "USFM Studio needs Python 3.11 or newer. On Debian 12: apt-get install python3 python3-venv"
  return 1
}

missing_packages() {
  local pair needs="$qt_needs"
  [ -n "${DISPLAY:-}" ] && needs="$needs $x11_needs"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  [ "$(uname)" = Linux ] || return 0
  for pair in $needs; do
    "$python" -c "import ctypes; ctypes.CDLL('${pair%%:*}')" 2>/dev/null || echo "${pair##*:}"
  done
}

install_system_libraries() {
  local missing
  missing="$(missing_packages | tr '\n' ' ')"
  missing="${missing% }"
  [ -z "$missing" ] && return
  local command="apt-get install -y --no-install-recommends $missing"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing system libraries: $missing"
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive $command -q >&2
  else
    say "System libraries are missing. On Debian and Ubuntu run this, then try again:"
    say "  sudo $command"
    return 1
  fi
}

# One pip command for all, so that torch and torchvision fit each other. Libraries with compiled parts come as
# wheels or not at all: building them here would take hours and compilers.
install_packages() {
  local what="."
  [ "$purpose" = test ] && what=".[test]"
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear .venv
  fi
  say "Installing the packages into .venv. The first time this takes some minutes and 7 GB of disk."
  .venv/bin/python -m pip install --quiet --only-binary :all: --editable "$what"
}

python="$(find_python)"
state="$("$python" -c 'import hashlib, pathlib, sys
print(hashlib.sha256(pathlib.Path("pyproject.toml").read_bytes()).hexdigest(), sys.version.split()[0], pathlib.Path.cwd())')"
stamp=".venv/ready-to-$purpose"
if [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
  exit 0
fi
install_system_libraries
install_packages
[ "$purpose" = test ] && echo "$state" >.venv/ready-to-run
echo "$state" >"$stamp"
