#!/usr/bin/env bash
# The loaders of other people that the tests of this folder ask, each in a place of its own below FOLDER, made anew where what it is made of
# has changed: js/ (transformers.js), mlflow/, mlflow-server/ (the whole of it, which goes with no pandas of ours), and optimum/, which needs an older transformers and has the rest, torch above all, from the
# environment that PYTHON belongs to.
#
#   tests/loaders/install.sh FOLDER PYTHON
set -euo pipefail
home=$1 python=$2 here=$(dirname "$0")
pins=$here/../../constraints.txt

made() { # name, files...: whether it is there, made of these very files; else its folder is empty
  sum=$(cat "${@:2}" | sha256sum)
  [ "$(cat "$home/$1/.made" 2>/dev/null)" = "$sum" ] && return
  rm -rf "${home:?}/$1"
  mkdir -p "$home/$1"
  return 1
}
done_with() { # name
  echo "$sum" >"$home/$1/.made"
}
environment() { # name, arguments of pip install...
  "$python" -m venv --without-pip "$home/$1"
  "$python" -m pip --python "$home/$1/bin/python" install --quiet --disable-pip-version-check "${@:2}"
}

transformers_js() {
  # No scripts: the libraries that node needs are in the packages, and theirs would fetch what is for GPUs from elsewhere.
  made js "$here/package.json" "$here/package-lock.json" "$here/.npmrc" && return
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$home/js"
  (cd "$home/js" && npm ci --ignore-scripts --loglevel=error)
  done_with js
}

transformers_js &
if ! made mlflow "$here/mlflow.txt" "$pins"; then
  environment mlflow --constraint "$pins" --requirement "$here/mlflow.txt"
  done_with mlflow
fi
if ! made mlflow-server "$here/mlflow_server.txt"; then
  environment mlflow-server --requirement "$here/mlflow_server.txt"
  done_with mlflow-server
fi
if ! made optimum "$here/optimum.txt"; then
  environment optimum --no-deps --requirement "$here/optimum.txt"
  done_with optimum
fi
wait $!
# Behind its own packages on the path, so that those come first; anew each time, since the environment may lie elsewhere now.
site='import sysconfig; print(sysconfig.get_path("purelib"))'
"$python" -c "$site" >"$("$home/optimum/bin/python" -c "$site")/behind.pth"
