#!/usr/bin/env bash
# Builds, checks and times the GPU path on this machine, prints the tables of docs/benchmarks-gpu.md:
#   bench/gpu/run.sh [--repeats N] [--only copy,preprocess,decode,twins,torch,pipeline] [--json FILE] [--markdown FILE]
#                    [--build FOLDER] [--setup] [--skip-checks] [--host]
# --setup first installs what the build needs, where there is a GPU. --host tries all of it on the CPU at small sizes; its
# figures measure nothing, and say so.
# Exit status 77: no NVIDIA GPU here, nothing was measured. Python is that of $PYTHON, else python3; torch is taken from it.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/gpu
checks=yes
setup=
host=
only=copy,preprocess,decode,twins,torch,pipeline
rest=()
while (($#)); do
  case $1 in
  --build) build=$2 && shift ;;
  --only) only=$2 && shift ;;
  --skip-checks) checks= ;;
  --setup) setup=yes ;;
  --host) host=--host ;;
  -h | --help) sed -n '2,8s/^# \?//p' "$0" && exit 0 ;;
  *) rest+=("$1") ;;
  esac
  shift
done
python=${PYTHON:-python3}

nothing() {
  echo "bench-gpu: $1; nothing was measured" >&2
  exit 77
}
if [[ -z $host ]]; then
  compgen -G '/dev/nvidia[0-9]*' >/dev/null || [[ -e /dev/dxg ]] || nothing "no NVIDIA GPU on this machine (no /dev/nvidia0)"
fi

[[ -n $setup ]] && tools/setup.sh build test
configure=(--preset release -B "$build")
if [[ -z $host ]]; then
  configure+=(-DPENSTOCK_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-native}")
  # The torch engine is built against the torch that this Python has, where it has one.
  if torch=$("$python" -c 'import torch; print(torch.utils.cmake_prefix_path)' 2>/dev/null); then
    configure+=("-DCMAKE_PREFIX_PATH=$torch")
  fi
fi
cmake "${configure[@]}" >/dev/null

wanted=(bench_gpu)
[[ -n $checks && -z $host ]] && wanted+=(test_gpu penstock penstock_engines)
if [[ ,$only, == *,pipeline,* ]] && cmake --build "$build" --target help | grep -q '^penstock-engine-torch:'; then
  wanted+=(penstock-engine-torch)
fi
cmake --build "$build" --target "${wanted[@]}"

if [[ -z $host ]]; then
  "$build/bench/bench_gpu" --only none --json - >/dev/null # says why, and ends with 77, where no device can be used
  if [[ -n $checks ]]; then
    PENSTOCK_TORCH_PYTHON=$python ctest --test-dir "$build" -L gpu --no-tests=error --output-on-failure
    tests/gpu/sanitize.sh "$build"
  fi
fi
exec "$python" bench/gpu/run.py --build "$build" --only "$only" $host "${rest[@]}"
