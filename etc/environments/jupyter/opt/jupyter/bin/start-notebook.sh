#!/bin/sh
# Starts JupyterLab as Kubeflow's notebook images do: port 8888, under the path NB_PREFIX, files in the home. The token is
# JUPYTER_TOKEN, which the notebook controller sets; without it Jupyter makes one up and logs it. Arguments go to Jupyter.
mkdir -p "$HOME" && cd "$HOME" || exit 1
exec jupyter lab --ip=0.0.0.0 --port=8888 --no-browser --allow-root --ServerApp.root_dir="$HOME" \
    --ServerApp.base_url="${NB_PREFIX:-/}" --ServerApp.allow_remote_access=True "$@"
