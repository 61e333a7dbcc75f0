# berth-files: one static binary, with the unpacker's sources; build/test/berth-files is the same with sanitizers, for the
# tests. Each is renamed into place, so that tests which build it at the same time never run half a program.
FILES_SOURCES := $(wildcard runner/archive/c/*.c) $(filter-out %/main.c,$(wildcard runner/image/unpack/*.c))
FILES_HEADERS := $(wildcard runner/archive/c/*.h) $(wildcard runner/image/unpack/*.h)
FILES_CFLAGS := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes \
	-Wswitch-enum -Wconversion -Wno-sign-conversion
FILES_LIBRARIES := -lz -lcrypto

C_BINARIES += build/bin/berth-files
C_TEST_BINARIES += build/test/berth-files

build/bin/berth-files: $(FILES_SOURCES) $(FILES_HEADERS) runner/archive/files.mk
	@mkdir -p $(@D)
	$(CC) $(FILES_CFLAGS) -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -static -o $@.$$$$ $(FILES_SOURCES) $(FILES_LIBRARIES) \
		&& mv $@.$$$$ $@

build/test/berth-files: $(FILES_SOURCES) $(FILES_HEADERS) runner/archive/files.mk
	@mkdir -p $(@D)
	$(CC) $(FILES_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
		-o $@.$$$$ $(FILES_SOURCES) $(FILES_LIBRARIES) && mv $@.$$$$ $@
