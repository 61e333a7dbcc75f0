import type { Weakening } from '../weakening.ts';

const incoming = 'runner/archive/c/incoming.c';

const copied = 'CVE-2018-15664';

const copy = (name: string): Weakening['test'] => ({
  project: 'system',
  file: 'test/security/copy.test.ts',
  name,
});

/** docker cp, in and out. */
export const copyWeakenings: readonly Weakening[] = [
  {
    name: 'copy-beneath-the-root',
    rule: copied,
    without: 'names are looked up by the kernel’s plain rules',
    changes: [
      {
        file: 'runner/image/unpack/beneath.c',
        from: '.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | mounts,',
        to: '.resolve = mounts & 0,',
      },
    ],
    test: copy('links of the container lead into the container'),
    sees: /of the host/,
  },
  {
    name: 'walk-through-no-link',
    rule: copied,
    without: 'a walk through a directory follows a link that a container puts into its way',
    changes: [
      {
        file: 'runner/archive/c/names.c',
        from: '.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,',
        to: '.resolve = 0,',
      },
    ],
    test: copy('reading while a directory becomes a link and back'),
    sees: /of the host/,
  },
  {
    name: 'copy-dot-dot',
    rule: copied,
    without: 'a name in an archive may climb',
    changes: [
      { file: 'runner/image/unpack/path.c', from: 'return false;\n\t\t\twhile', to: '*depth = 1;\n\t\t\twhile' },
    ],
    test: copy('../evil is refused'),
    sees: /expected 200 to be 400/,
  },
  {
    name: 'no-program-of-the-container',
    rule: copied,
    without: 'the container’s own tar is run, with the container’s root as root',
    changes: [
      {
        file: incoming,
        from: 'int directory = open_path(root, path, O_PATH);',
        to: `if (fork() == 0) {
		if (fchdir(root) == 0 && chroot(".") == 0)
			execl("/bin/tar", "tar", NULL);
		_exit(1);
	}
	wait(NULL);
	int directory = open_path(root, path, O_PATH);`,
      },
    ],
    test: copy('no program of the container is run'),
    sees: /expected '0\\n' to be '1\\n'/,
  },
  {
    name: 'no-fifo-opened',
    rule: copied,
    without: 'what is no file is opened and read as one',
    changes: [
      {
        file: 'runner/archive/c/pack.c',
        from: 'if (S_ISREG(status->st_mode)) {\n\t\tput_file',
        to: 'if (S_ISREG(status->st_mode) || S_ISFIFO(status->st_mode)) {\n\t\tput_file',
      },
    ],
    test: copy('a FIFO and a device in the way of a read are not opened'),
    sees: /fifo/,
  },
];
