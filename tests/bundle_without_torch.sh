#!/usr/bin/env bash
# The newest demo bundle, and one of each task, predict and serve in an environment that holds only the base and `serve`: neither torch nor
# transformers. Those of the tasks answer as they did where they were made.
set -euo pipefail
cd "$(dirname "$0")/.."
full=.venv/bin/python
demo=$(ls -dt runs/demo-*/bundle | head -n 1)
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --constraint constraints.txt '.[serve]'
export AUTOFT_DATABASE="sqlite:///$work/runs.sqlite"
light() { # program, arguments...: of the light environment
  "$work/env/bin/$1" "${@:2}"
}
same() { # answer: a file to hold standard input against
  light python tests/same_answers.py "$1"
}
start() { # bundle
  port=$(light python -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
  "$work/env/bin/autoft" serve "$1" --port "$port" &
  server=$!
  for _ in $(seq 300); do
    curl -sf "http://127.0.0.1:$port/health/ready" >/dev/null && return
    sleep 0.1
  done
  echo "$1 was not ready to serve in 30 s"
  exit 1
}
post() { # path, body
  curl -sf -H 'content-type: application/json' -d "$2" "http://127.0.0.1:$port$1"
}
stop() {
  if grep -qE 'torch|transformers' "/proc/$server/maps"; then
    echo "the server has torch in it"
    exit 1
  fi
  kill -TERM "$server"
  wait "$server"
}

for name in torch transformers ray sklearn datasets; do
  if light python -c "import $name" 2>/dev/null; then
    echo "$name is installed: the base is not light"
    exit 1
  fi
done
light autoft plugins >/dev/null
light autoft predict "$demo" "it works very well" --json | grep '"label"'
start "$demo"
post /predict '{"text": "it works very well"}' | grep '"label"'
curl -sf "http://127.0.0.1:$port/docs" | grep -i '<html' >/dev/null
stop
light autoft bench "$demo" --seconds 5 --json | grep 'torch is not installed here' >/dev/null
start "$demo"
post /predict '{"text": "it works very well"}' | grep '"label"' >/dev/null
stop
echo "the demo's bundle predicts and serves without torch, and is measured"

"$full" tests/bundle_every_task.py "$work/tasks"
for task in "$work"/tasks/*; do
  for question in "$task"/predict/*; do
    mapfile -t texts <"$question/texts"
    light autoft predict "$task/out/bundle" --json "${texts[@]}" | same "$question/answer"
  done
  start "$task/out/bundle"
  for question in "$task"/post/*; do
    post "$(cat "$question/path")" "$(cat "$question/body")" | same "$question/answer"
  done
  stop
  echo "the bundle of $(basename "$task") predicts and serves without torch, as with it"
done
