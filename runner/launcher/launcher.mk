# The launcher's binary, and the builds of it that only its tests use. Run from the root of the repository. Each is renamed
# into place, so that nobody who starts it meanwhile runs half a program.
LAUNCHER_SOURCES := $(wildcard runner/launcher/c/*.c)
LAUNCHER_HEADERS := $(wildcard runner/launcher/c/*.h)
LAUNCHER_CFLAGS := -std=c17 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wswitch-enum

C_BINARIES += build/bin/berth-launcher

build/bin/berth-launcher: $(LAUNCHER_SOURCES) $(LAUNCHER_HEADERS) runner/launcher/launcher.mk
	@mkdir -p build/bin
	$(CC) $(LAUNCHER_CFLAGS) -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -static -o $@.$$$$ $(LAUNCHER_SOURCES) -lseccomp \
		&& mv $@.$$$$ $@

# Address and undefined-behaviour checks; dynamic, since the sanitizers are.
build/test/berth-launcher-sanitized: $(LAUNCHER_SOURCES) $(LAUNCHER_HEADERS) runner/launcher/launcher.mk
	@mkdir -p build/test
	$(CC) $(LAUNCHER_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -o $@.$$$$ $(LAUNCHER_SOURCES) \
		-lseccomp && mv $@.$$$$ $@

.PHONY: launcher-analyze
launcher-analyze:
	for source in $(LAUNCHER_SOURCES); do $(CC) $(LAUNCHER_CFLAGS) -O2 -fanalyzer -c -o /dev/null $$source || exit 1; done
