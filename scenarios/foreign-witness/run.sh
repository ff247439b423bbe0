#!/usr/bin/env bash
# A witness that is not ours cosigns our log and refuses our fork; and our witness is judged by somebody else's code.
# Run it from anywhere after `cargo build`; TREFOIL names another binary. Ends with status 0 only if all of it holds.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=scenarios/foreign-witness
venv=target/foreign-witness

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/installed.txt"
fi
"$venv/bin/python" "$here/check.py"
exec "$venv/bin/python" "$here/meet.py" "${TREFOIL:-target/debug/trefoil}"
