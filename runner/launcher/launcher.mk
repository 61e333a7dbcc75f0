# The launcher's binary, and the builds of it that only its tests use. Run from the root of the repository.
LAUNCHER_SOURCES := $(wildcard runner/launcher/c/*.c)
LAUNCHER_HEADERS := $(wildcard runner/launcher/c/*.h)
LAUNCHER_CFLAGS := -std=c17 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wswitch-enum

C_BINARIES += build/bin/berth-launcher

build/bin/berth-launcher: $(LAUNCHER_SOURCES) $(LAUNCHER_HEADERS)
	@mkdir -p build/bin
	gcc $(LAUNCHER_CFLAGS) -O2 -static -o $@ $(LAUNCHER_SOURCES) -lseccomp

# Address and undefined-behaviour checks; dynamic, since the sanitizers are.
build/test/berth-launcher-sanitized: $(LAUNCHER_SOURCES) $(LAUNCHER_HEADERS)
	@mkdir -p build/test
	gcc $(LAUNCHER_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $(LAUNCHER_SOURCES) -lseccomp

.PHONY: launcher-analyze
launcher-analyze:
	for source in $(LAUNCHER_SOURCES); do gcc $(LAUNCHER_CFLAGS) -O2 -fanalyzer -c -o /dev/null $$source || exit 1; done
