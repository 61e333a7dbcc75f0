import { weakening, type Weakening } from '../weakening.ts';

const main = 'runner/launcher/c/main.c';
const container = 'runner/launcher/c/container.c';
const mounts = 'runner/launcher/c/mounts.c';
const connection = 'runner/launcher/c/connection.c';

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
  weakening(
    'copy-in-memory',
    overwritten,
    'the launcher runs from its file',
    {
      file: main,
      from: 'if (run_from_sealed_copy(arguments, none) < 0) {',
      to: 'if (false && run_from_sealed_copy(arguments, none) < 0) {',
    },
    host('shim and spawner run from a sealed memfd'),
    /berth-launcher' to be '\/memfd:berth-launcher/,
  ),
  weakening(
    'sealed-copy',
    overwritten,
    'the copy in memory is not sealed',
    [
      {
        file: main,
        from: '(fcntl(self, F_GET_SEALS) & SEALS) == SEALS && fcntl(self, F_GET_SEALS) > 0',
        to: 'fcntl(self, F_GET_SEALS) >= 0',
      },
      { file: main, from: 'if (fcntl(copy, F_ADD_SEALS, SEALS) < 0) return -1;', to: '' },
    ],
    {
      project: 'system',
      file: 'test/security/hostile-image.test.ts',
      name: 'finds a sealed copy, and cannot get at it for writing',
    },
    /expected/,
  ),
  weakening(
    'not-dumpable',
    overwritten,
    'launcher processes are dumpable',
    { file: main, from: 'if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return 1;', to: '' },
    host('are not dumpable'),
    /expected/,
  ),
  weakening(
    'no-file-of-the-host',
    overwritten,
    'the spawner has a writable descriptor of a file of the host',
    {
      file: 'runner/launcher/c/spawner.c',
      from: 'if (ready.kind == REPORT_FAILED) return 1;',
      to: 'if (ready.kind == REPORT_FAILED) return 1;\n    open("/etc/hostname", O_RDWR | O_CLOEXEC);',
    },
    host('shim and spawner run from a sealed memfd'),
    /\/etc\/hostname/,
  ),
  weakening(
    'close-range',
    leaked,
    'the root’s descriptor is not close-on-exec, and nothing closes what is left before execve (both together)',
    [
      {
        file: container,
        from: 'if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) return fail(report, errno, "close", "file descriptors");',
        to: '',
      },
      {
        file: mounts,
        from: 'int root = open(overlay->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);',
        to: 'int root = open(overlay->mount_point, O_PATH | O_DIRECTORY);',
      },
    ],
    host('only the standard streams are open, in the first process'),
    /'0', '1', '2'/,
  ),
  weakening(
    'working-directory',
    leaked,
    'the working directory is opened by its path, and nobody asks whether it is inside (both together)',
    [
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
    host('no descriptor that the launcher has at that moment serves as working directory'),
    /was entered/,
  ),
  weakening(
    'peer-credentials',
    sockets,
    'the shim does not ask who has connected',
    { file: connection, from: '(peer.uid == 0 || peer.uid == geteuid());', to: '(peer.uid == 0 || true);' },
    host('closes a connection whose peer is neither root nor its own user'),
    /answered [1-9]/,
  ),
  weakening(
    'no-abstract-socket',
    sockets,
    'the shim listens in the abstract namespace, too',
    {
      file: 'runner/launcher/c/setup.c',
      from: 'umask(0077);',
      to: `struct sockaddr_un open_to_all = {.sun_family = AF_UNIX, .sun_path = "\\0berth-shim"};
    bind(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&open_to_all, sizeof(open_to_all));
    umask(0077);`,
    },
    host('never in the abstract namespace'),
    /@berth-shim/,
  ),
];
