#!/bin/sh
# Runs the image's installation steps in a fresh virtual environment and starts what they give. Needs no Docker.
set -eu
root="$(cd "$(dirname "$0")/.." && pwd)"
place="$(mktemp -d)"
service=
trap 'if [ -n "$service" ]; then kill "$service" 2>/dev/null || true; fi; rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check -r "$root/requirements/core.txt" "psycopg[binary]==3.3.9"
mkdir "$place/src"
for name in datasets nlp models matching evaluation training serving zhixu.py pyproject.toml README.md LICENSE; do
  cp -R "$root/$name" "$place/src/"
done
"$place/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --no-deps "$place/src"
cd "$place"
"$place/venv/bin/python" -c "import importlib.util as u; assert u.find_spec('torch') is None"
port="${PORT:-8137}"
printf 'p:a\\ss' > password
ZHIXU_LEDGER_PASSWORD_FILE="$place/password" sh "$root/deploy/start.sh" sh -c 'cat "$PGPASSFILE"; rm "$PGPASSFILE"' | grep -qF '*:*:*:*:p\:a\\ss'
ZHIXU_LEDGER="sqlite:///$place/ledger.sqlite" "$place/venv/bin/zhixu" serve --port "$port" > /dev/null 2>&1 &
service=$!
"$place/venv/bin/python" - "$port" <<'PY'
import json, sys, time, urllib.request
address = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(200):
    try:
        urllib.request.urlopen(address + "/readyz", timeout=2); break
    except OSError:
        time.sleep(0.1)
body = json.dumps({"text": "小区停水两天了，老人没法做饭"}).encode()
request = urllib.request.Request(address + "/v1/classify", body, {"Content-Type": "application/json"})
assert json.load(urllib.request.urlopen(request, timeout=10))["needs"]
PY
du -sm "$place/venv" | cut -f1 | sed 's/$/ MB installed; the steps of the image hold/'
