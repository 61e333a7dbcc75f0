# berth-unpack: one static binary; build/test/berth-unpack is the same with sanitizers, for the tests.
# Each is renamed into place, so that tests which build it at the same time never run half a program.
UNPACK_SOURCES := $(wildcard runner/image/unpack/*.c)
UNPACK_HEADERS := $(wildcard runner/image/unpack/*.h)
UNPACK_CFLAGS := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes \
	-Wswitch-enum -Wconversion -Wno-sign-conversion
UNPACK_LIBRARIES := -lz -lcrypto

C_BINARIES += build/bin/berth-unpack
C_TEST_BINARIES += build/test/berth-unpack

build/bin/berth-unpack: $(UNPACK_SOURCES) $(UNPACK_HEADERS) runner/image/unpack.mk
	@mkdir -p $(@D)
	$(CC) $(UNPACK_CFLAGS) -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -static -o $@.$$$$ $(UNPACK_SOURCES) $(UNPACK_LIBRARIES) \
		&& mv $@.$$$$ $@

build/test/berth-unpack: $(UNPACK_SOURCES) $(UNPACK_HEADERS) runner/image/unpack.mk
	@mkdir -p $(@D)
	$(CC) $(UNPACK_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
		-o $@.$$$$ $(UNPACK_SOURCES) $(UNPACK_LIBRARIES) && mv $@.$$$$ $@
