import type { Weakening } from '../weakening.ts';

const main = 'runner/launcher/c/main.c';
const container = 'runner/launcher/c/container.c';
const connection = 'runner/launcher/c/connection.c';
const execute = 'runner/launcher/c/execute.c';
const root = 'runner/launcher/c/root.c';

const host = (name: string): Weakening['test'] => ({
  project: 'system',
  file: 'test/security/launcher-host.test.ts',
  name,
});

const overwritten = 'CVE-2019-5736';
const leaked = 'CVE-2024-21626';
const sockets = 'CVE-2020-15257';

/** The launcher's own program, its descriptors, its socket. */
export const launcherWeakenings: readonly Weakening[] = [
  {
    name: 'copy-in-memory',
    rule: overwritten,
    without: 'the launcher runs from its file',
    changes: [
      {
        file: main,
        from: 'if (run_from_sealed_copy(arguments, none) < 0) {',
        to: 'if (false && run_from_sealed_copy(arguments, none) < 0) {',
      },
    ],
    test: host('shim and spawner run from a sealed memfd'),
    sees: /berth-launcher' to be '\/memfd:berth-launcher/,
  },
  {
    name: 'sealed-copy',
    rule: overwritten,
    without: 'the copy in memory is not sealed',
    changes: [
      {
        file: main,
        from: '(fcntl(self, F_GET_SEALS) & SEALS) == SEALS && fcntl(self, F_GET_SEALS) > 0',
        to: 'fcntl(self, F_GET_SEALS) >= 0',
      },
      { file: main, from: 'if (fcntl(copy, F_ADD_SEALS, SEALS) < 0) return -1;', to: '' },
    ],
    test: {
      project: 'system',
      file: 'test/security/hostile-image.test.ts',
      name: 'finds a sealed copy, and cannot get at it for writing',
    },
    sees: /expected '0' to be '1'/,
  },
  {
    name: 'not-dumpable',
    rule: overwritten,
    without: 'launcher processes are dumpable',
    changes: [{ file: main, from: 'if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return 1;', to: '' }],
    test: host('are not dumpable'),
    sees: /12345/,
  },
  {
    name: 'no-file-of-the-host',
    rule: overwritten,
    without: 'the spawner has a writable descriptor of a file of the host',
    changes: [
      {
        file: 'runner/launcher/c/spawner.c',
        from: 'if (ready.kind == REPORT_FAILED) return 1;',
        to: 'if (ready.kind == REPORT_FAILED) return 1;\n    open("/etc/hostname", O_RDWR | O_CLOEXEC);',
      },
    ],
    test: host('shim and spawner run from a sealed memfd'),
    sees: /\/etc\/hostname/,
  },
  {
    name: 'close-range',
    rule: leaked,
    without:
      'the root’s descriptor is not close-on-exec, and nothing closes what is left before execve (both together)',
    changes: [
      {
        file: execute,
        from: 'if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) return fail(report, errno, "close", "file descriptors");',
        to: '',
      },
      {
        file: root,
        from: 'int root = open(overlay->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);',
        to: 'int root = open(overlay->mount_point, O_PATH | O_DIRECTORY);',
      },
    ],
    test: host('only the standard streams are open, in the first process'),
    sees: /\[ '0', '1', '2', '\d+' \]/,
  },
  {
    name: 'working-directory',
    rule: leaked,
    without: 'the working directory is opened by its path, and nobody asks whether it is inside (both together)',
    changes: [
      {
        file: container,
        from: 'int fd = create ? open_or_make_directory(root, path) : open_beneath(root, path, O_PATH | O_DIRECTORY, 0);',
        to: '(void)root, (void)create;\n    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);',
      },
      {
        file: container,
        from: "if (syscall(SYS_getcwd, name, sizeof(name)) < 0 || name[0] != '/')",
        to: '(void)name;\n    if (false)',
      },
    ],
    test: host('no descriptor that the launcher has at that moment serves as working directory'),
    sees: /was entered/,
  },
  {
    name: 'peer-credentials',
    rule: sockets,
    without: 'the shim does not ask who has connected',
    changes: [{ file: connection, from: '(peer.uid == 0 || peer.uid == geteuid());', to: '(peer.uid == 0 || true);' }],
    test: host('closes a connection whose peer is neither root nor its own user'),
    sees: /answered [1-9]/,
  },
  {
    name: 'no-abstract-socket',
    rule: sockets,
    without: 'the shim listens in the abstract namespace, too',
    changes: [
      {
        file: 'runner/launcher/c/launch.c',
        from: 'umask(0077);',
        to: `struct sockaddr_un open_to_all = {.sun_family = AF_UNIX, .sun_path = "\\0berth-shim"};
    bind(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&open_to_all, sizeof(open_to_all));
    umask(0077);`,
      },
    ],
    test: host('never in the abstract namespace'),
    sees: /@berth-shim/,
  },
];
