#!/bin/sh
# Reads the database password from a file, so that it stands in no environment list, image or compose file.
set -eu
if [ -n "${ZHIXU_LEDGER_PASSWORD_FILE:-}" ]; then
  PGPASSFILE="$(mktemp)"
  umask 077
  printf '%s:%s:%s:%s:%s\n' '*' '*' '*' '*' "$(sed -e 's/\\/\\\\/g' -e 's/:/\\:/g' "$ZHIXU_LEDGER_PASSWORD_FILE")" > "$PGPASSFILE"
  chmod 600 "$PGPASSFILE"
  export PGPASSFILE
fi
exec "$@"
