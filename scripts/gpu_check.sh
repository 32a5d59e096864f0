#!/usr/bin/env bash
# Prove srtbench on a GPU, without a network: one command, one report.
#
#   scripts/gpu_check.sh WHEELS [--out REPORT.md] [--venv FOLDER] [--cpu]
#   scripts/gpu_check.sh --installed [--out REPORT.md] [--cpu]
#
# WHEELS: a folder with the wheels of srtbench and of all it needs, made where there is a network:
#   python -m pip wheel . 'pytest>=9' hypothesis filelock -w WHEELS      (and vllm, for the engines)
# --venv: the environment that is made (default: .venv-gpu). --installed: none is made; the
# `python` on PATH has srtbench and pytest. --cpu: a rehearsal of a few steps without a GPU.
#
# Exit codes: 0 all well, 1 a step failed (see the report), 2 no GPU, or a wrong argument.
set -euo pipefail

refuse() { echo "gpu_check: $1" >&2; exit 2; }

wheels="" out="gpu_check.md" venv=".venv-gpu" installed="" cpu=""
while [ $# -gt 0 ]; do
  case "$1" in
    --out) [ $# -ge 2 ] || refuse "--out needs a file"; out=$2; shift ;;
    --venv) [ $# -ge 2 ] || refuse "--venv needs a folder"; venv=$2; shift ;;
    --installed) installed=yes ;;
    --cpu) cpu=yes ;;
    -*) refuse "unknown option $1; allowed: --out, --venv, --installed, --cpu" ;;
    *) [ -z "$wheels" ] || refuse "one folder of wheels, and not also $1"; wheels=$1 ;;
  esac
  shift
done
[ -n "$wheels$installed" ] || refuse "give the folder of wheels, or --installed"
[ -z "$wheels" ] || [ -z "$installed" ] || refuse "give the folder of wheels or --installed, not both"
here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "$cpu" ]; then
  ls /dev/nvidia[0-9]* >/dev/null 2>&1 || refuse "no NVIDIA GPU here (/dev/nvidia0); --cpu rehearses the steps without one"
fi
if [ -n "$wheels" ]; then
  ls "$wheels"/srtbench-*.whl >/dev/null 2>&1 || refuse "$wheels holds no wheel of srtbench"
  python3 -m venv "$venv"
  python="$venv/bin/python"
  extras=""
  ls "$wheels"/vllm-*.whl >/dev/null 2>&1 && extras="[vllm]"
  "$python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$wheels" \
    "srtbench$extras" pytest hypothesis filelock
else
  python=$(command -v python) || refuse "--installed: no python on PATH"
fi
exec "$python" "$here/scripts/gpu_check.py" --out "$out" --device "$([ -n "$cpu" ] && echo cpu || echo cuda)"
