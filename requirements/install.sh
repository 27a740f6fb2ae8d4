#!/bin/sh
# Install locked packages: install.sh PYTHON LOCK…   (as in: install.sh .venv/bin/python runtime dev)
#
# torch for the CPU alone comes from PyTorch's own page of such builds, if that answers within three seconds, or from
# wherever pip is configured to look; else it is PyPI's, which on Linux does not import without the CUDA libraries of
# cuda.txt. Every file is held to its SHA-256; the locks are complete, so pip resolves nothing.
set -eu
python=$1
shift
here=$(dirname "$0")
page=https://download.pytorch.org/whl/cpu/torch/

pip_install() {
    "$python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes --only-binary :all: "$@"
}

cpu_torch() {
    if "$python" -c "import urllib.request; urllib.request.urlopen('$page', timeout=3)" 2>/dev/null; then
        pip_install -r "$here/torch-cpu.txt" --find-links "$page" && return
    fi
    pip_install -r "$here/torch-cpu.txt" 2>/dev/null
}

for lock in "$@"; do
    echo "installing requirements/$lock.txt"
    pip_install -r "$here/$lock.txt"
done

echo "installing torch for the CPU"
if ! cpu_torch; then
    echo "… not to be had here: installing PyPI's torch"
    pip_install -r "$here/torch.txt"
fi
if ! "$python" -c "import torch" 2>/dev/null; then
    echo "this torch wants CUDA libraries, which this program does not use: installing them too, several GB (README, Installing)"
    pip_install -r "$here/cuda.txt"
    "$python" -c "import torch"
fi
