# berth-init: what `docker run --init` puts before a container's program. Static, since it runs in any image.
C_BINARIES += build/bin/berth-init

build/bin/berth-init: runner/init/berth-init.c runner/init/init.mk
	@mkdir -p build/bin
	$(CC) -std=c17 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wswitch-enum -O2 -D_FORTIFY_SOURCE=2 \
		-fstack-protector-strong -static -s -o $@.$$$$ $< && mv $@.$$$$ $@
