#!/usr/bin/env bash
# The newest demo bundle predicts and serves in an environment that holds only the base and `serve`: neither torch nor transformers.
set -euo pipefail
cd "$(dirname "$0")/.."
bundle=$(ls -dt runs/demo-*/bundle | head -n 1)
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --constraint constraints.txt '.[serve]'
export AUTOFT_DATABASE="sqlite:///$work/runs.sqlite"
for name in torch transformers ray sklearn datasets; do
  if "$work/env/bin/python" -c "import $name" 2>/dev/null; then
    echo "$name is installed: the base is not light"
    exit 1
  fi
done
"$work/env/bin/autoft" plugins >/dev/null
"$work/env/bin/autoft" predict "$bundle" "it works very well" --json | grep '"label"'
port=$("$work/env/bin/python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
"$work/env/bin/autoft" serve "$bundle" --port "$port" &
server=$!
for _ in $(seq 100); do
  curl -sf "http://127.0.0.1:$port/health/ready" >/dev/null && break
  sleep 0.1
done
curl -sf -H 'content-type: application/json' -d '{"text": "it works very well"}' "http://127.0.0.1:$port/predict" | grep '"label"'
curl -sf "http://127.0.0.1:$port/docs" | grep -i '<html' >/dev/null
if grep -qE 'torch|transformers' "/proc/$server/maps"; then
  echo "the server has torch in it"
  exit 1
fi
kill -TERM "$server"
wait "$server"
echo "the bundle predicts and serves without torch"
