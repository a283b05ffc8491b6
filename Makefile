# The front door: each target installs what is missing (dev/packages), builds, and does one thing.
#
#   make                   build/sealstream, build/libsealstream.so
#   make demo              the whole story on an embedded broker; BROKERS=host:port for a real cluster,
#                          VAULT_ADDR=http://127.0.0.1:8200 VAULT_TOKEN=... for keys in a real Vault or OpenBao;
#                          SUFFIX=.demo after the names that it makes, where they are taken
#   make test              every test that needs only Debian's packages
#   make test-services     the same against a real Apache Kafka and a real Vault, which are fetched, started and stopped
#   make soak              the long proofs: gigabytes, random kills, and exactly once under fire with 100 seeds, which takes
#                          a day; SEED=n for one seed, SEEDS=n for fewer; RESULTS=docs/SOAK.md and
#                          RELIABILITY=docs/RELIABILITY.md keep what was measured
#   make bench             speed, as ratios within one run
#   make fuzz              each fuzzer for SECONDS=30
#   make lint | format     what CI checks about the text | clang-format
#   make wheel             build/wheel/sealstream-VERSION-cp39-abi3-….whl: the Python package, with the library inside
#   make deb               Debian packages in build/deb, looked at by lintian; DEB_BUILD_OPTIONS=nocheck leaves the unit tests out
#   make install           PREFIX=/usr/local DESTDIR=
#   make clean

PREFIX  ?= /usr/local
SECONDS ?= 30
BROKERS ?=

.DEFAULT_GOAL := all
.PHONY: all demo test test-services soak bench fuzz lint format wheel deb install clean

# Many tests wait more than they compute.
export MESON_TESTTHREADS ?= $(shell expr 4 \* $$(nproc))

packages = @dev/install-packages
where = --prefix=$(PREFIX) --libdir=lib

all:
	$(packages) build
	@dev/build build $(where)

demo:
	$(packages) build
	@dev/build build $(where) sealstream
	@build/sealstream demo $(if $(BROKERS),-b $(BROKERS)) $(if $(filter command,$(origin VAULT_ADDR)),--vault) $(if $(SUFFIX),--suffix $(SUFFIX))

test:
	$(packages) build test
	@dev/build build $(where)
	meson test -C build --no-rebuild --print-errorlogs

test-services:
	$(packages) build services package
	@dev/build build $(where) sealstream bindings/python/python.built tests/vault/data_key tests/vault/data_key_threads tests/support/store_suite
	tests/services/run

soak:
	$(packages) build services
	@dev/build build $(where) sealstream
	$(if $(SEED),SEED=$(SEED)) $(if $(RESULTS),RESULTS=$(RESULTS)) $(if $(RELIABILITY),RELIABILITY=$(RELIABILITY)) tests/services/run $(wildcard tests/services/soak_*.py)

bench:
	$(packages) build
	@dev/build build $(where)
	build/bench/bench
	bench/run-peers
	bench/run-files
	bench/run-scan
	bench/run-vault
	bench/run-kafka
	bench/run-pump
	bench/run-scale
	bench/run-platforms
	bench/run-python
	bench/run-spark
	bench/run-tokens

fuzz:
	$(packages) build test
	dev/fuzz $(SECONDS)

lint:
	$(packages) build test
	dev/lint

format:
	$(packages) test
	git ls-files '*.c' '*.h' | xargs clang-format -i

wheel:
	$(packages) build package
	@dev/build build $(where)
	@bindings/python/make-wheel

deb:
	$(packages) build package
	dev/make-deb

install: all
	meson configure build $(where)
	meson install -C build

clean:
	rm -rf build build-*/
