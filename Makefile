# Thin wrappers over tools/setup.sh and the CMake presets (`cmake --list-presets`).
# Other clones of this repository share what ccache has compiled.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := true

.PHONY: setup build demo live test bench bench-gpu format clean

setup:            ## install what the build needs
	tools/setup.sh build

build: setup      ## build/release/penstock
	cmake --preset release >/dev/null
	cmake --build --preset release --target penstock

demo:             ## real footage through a real network; prints where the results are
	tools/setup.sh build demo
	cmake --preset release >/dev/null
	cmake --build --preset release --target penstock
	tools/demo.sh

live:             ## the demo's clip over and over, until Ctrl-C, to watch in the browser
	tools/setup.sh build demo live
	cmake --preset release >/dev/null
	cmake --build --preset release --target penstock
	tools/demo.sh live

test:             ## everything: set-up, build, all tests, sanitizers, format and room rules
	tools/setup.sh build demo test bundle
	tools/test.sh

bench:            ## the tables of docs/benchmarks.md, measured on this machine
	tools/setup.sh build bench test
	cmake --preset release >/dev/null
	cmake --build --preset release
	bench/run.sh

bench-gpu:        ## the tables of docs/benchmarks-gpu.md, measured on this machine's GPU; ends with an error where there is none
	bench/gpu/run.sh --setup

format:           ## rewrite all C++ files with clang-format
	git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh' | xargs clang-format -i

clean:
	rm -rf build results
