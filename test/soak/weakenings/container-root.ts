import { weakening, type Weakening } from '../weakening.ts';

const files = 'runner/launcher/c/files.c';
const mounts = 'runner/launcher/c/mounts.c';
const container = 'runner/launcher/c/container.c';
const plan = 'runner/launcher/plan.ts';

const of =
  (file: string) =>
  (name: string): Weakening['test'] => ({ project: 'system', file: `test/security/${file}.test.ts`, name });
const root = of('launcher-root');
const volumes = of('mounts');

const masks = 'CVE-2019-16884';
const targets = 'CVE-2021-30465';
const settings = 'CVE-2025-52881';

/** Nothing may come to lie where /proc and /sys have masks. */
const guard = {
  file: mounts,
  from: 'return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC;',
  to: 'return false && type;',
};
const plannedGuard = {
  file: plan,
  from: 'if (/^\\/(proc|sys)(\\/|$)/.test(destination)) throw',
  to: 'if (destination === "") throw',
};
const inRoot = {
  file: files,
  from: '.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};',
  to: '.resolve = resolve};',
};

/** What the launcher does with paths of an image: mount points, masks, devices, settings, directories. */
export const rootWeakenings: readonly Weakening[] = [
  weakening(
    'real-proc',
    masks,
    '/proc and /sys may be reached through a symlink',
    { file: mounts, from: 'system || cgroup ? RESOLVE_NO_SYMLINKS : 0);', to: '((void)system, 0));' },
    root('an image in which /proc is a symlink is refused'),
    /resolved/,
  ),
  weakening(
    'verified-proc',
    masks,
    'another file system is made for /proc, and what was made is not looked at (both together)',
    [
      {
        file: mounts,
        from: 'int context = fsopen(filesystem->type, FSOPEN_CLOEXEC);',
        to: 'int context = fsopen(strcmp(filesystem->type, "proc") ? filesystem->type : "tmpfs", FSOPEN_CLOEXEC);',
      },
      { file: mounts, from: 'if (proc && filesystem_of(mount) != PROC_SUPER_MAGIC)', to: 'if (proc && mount < 0)' },
    ],
    root('masked paths are masked'),
    /expected/,
  ),
  weakening(
    'nothing-beneath-proc',
    masks,
    'a link of the image leads a mount beneath /sys',
    guard,
    root('a bind to /safe/kernel'),
    /resolved/,
  ),
  weakening(
    'nothing-on-proc',
    masks,
    'neither the plan nor the launcher refuses a mount on /proc (both together)',
    [guard, plannedGuard],
    root('a bind to /proc, on the masked file systems'),
    /resolved/,
  ),
  weakening(
    'no-volume-on-proc',
    masks,
    'neither the engine nor the plan nor the launcher refuses a volume on /proc (all three together)',
    [
      guard,
      plannedGuard,
      {
        file: 'runner/container/container-volumes.ts',
        from: 'if (guarded === undefined) return;',
        to: 'if (guarded !== "") return;',
      },
    ],
    volumes('a volume on /proc, where masks are'),
    /resolved/,
  ),
  weakening(
    'targets-beneath-the-root',
    targets,
    'mount points are looked up by the kernel’s plain rules',
    inRoot,
    root('a mount point /absolute/new whose symlinks lead out stays inside'),
    /new/,
  ),
  weakening(
    'swapped-targets',
    targets,
    'the same, with a target that a container exchanges meanwhile',
    inRoot,
    volumes('a target that is swapped for a link meanwhile leads nowhere'),
    /expected/,
  ),
  weakening(
    'parts-of-volumes',
    targets,
    'a part of a volume is looked up by the kernel’s plain rules',
    {
      file: mounts,
      from: 'int part = open_beneath(source, bind->subpath, O_PATH, 0);',
      to: 'int part = openat(source, bind->subpath, O_PATH | O_CLOEXEC);',
    },
    volumes('a part of a volume is looked for beneath the volume'),
    /expected/,
  ),
  weakening(
    'devices-are-made-new',
    targets,
    'what the image has in place of a device is taken for it',
    {
      file: mounts,
      from: 'fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && is_device(&status, device)) return 0;',
      to: 'fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0) return 0;',
    },
    of('launcher-namespaces')('a node or link of the image in place of a device is refused (plain)'),
    /resolved/,
  ),
  weakening(
    'mask-source',
    'CVE-2025-31133',
    'nobody looks at the device that masks are made of',
    { file: mounts, from: 'if (is_null_device(fd)) return fd;', to: 'if (fd >= 0) return fd;' },
    root('a mask whose source is not device 1:3 is refused'),
    /resolved/,
  ),
  weakening(
    'standard-input',
    'CVE-2025-31133',
    'whatever lies at /dev/null becomes the standard input',
    {
      file: container,
      from: 'if (!is_null_device(stdio[0])) return fail(report, EPERM, "open standard input", "/dev/null");',
      to: '',
    },
    of('hostile-container')('whose /dev/null is a file is refused'),
    /expected/,
  ),
  weakening(
    'console',
    'CVE-2025-52565',
    'what the image has at /dev/console is used, and links there are followed',
    {
      file: mounts,
      from: `int target = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600);
    if (target < 0) return fail_closing(parent, report, "make", "/dev/console");`,
      to: `int target = openat(parent, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (target < 0) return fail_closing(parent, report, "make", "/dev/console");`,
    },
    root('/dev/console is the pty itself'),
    /resolved/,
  ),
  weakening(
    'private-proc',
    settings,
    'a sysctl is written through the container’s own /proc',
    {
      file: container,
      from: 'return write_sysctl(sysctl->name, sysctl->value, report);',
      to: `char path[4096];
    snprintf(path, sizeof(path), "proc/sys/%s", sysctl->name);
    return write_file_at(progress->root, path, sysctl->value) < 0 ? fail(report, errno, "write sysctl", path) : 0;`,
    },
    root('a sysctl is not written through what an image has at /proc'),
    /77/,
  ),
  weakening(
    'sysctl-beneath',
    settings,
    'neither the plan nor the launcher keeps the name of a sysctl beneath /proc/sys (both together)',
    [
      {
        file: plan,
        from: "const path = name.replaceAll('.', '/');",
        to: "const path = name.includes('/') ? name : name.replaceAll('.', '/');",
      },
      { file: plan, from: '/^[a-zA-Z0-9_/-]+$/', to: '/^[.a-zA-Z0-9_/-]+$/' },
      {
        file: mounts,
        from: '.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};',
        to: '.resolve = 0};',
      },
    ],
    root('a sysctl is written to the real file'),
    /resolved/,
  ),
  weakening(
    'cgroup-namespace',
    'CVE-2022-0492',
    'the container has the host’s cgroup namespace',
    {
      file: plan,
      from: "...(has('cgroup') ? [{ kind: 'cgroup-namespace' } satisfies ContainerOperation] : []),",
      to: '',
    },
    root('the cgroup file system is this cgroup alone'),
    /0::\//,
  ),
  weakening(
    'cgroup-files-read-only',
    'CVE-2022-0492',
    'the cgroup file system is writable',
    {
      file: 'runner/security/mounts.ts',
      from: "options: ['ro', 'nosuid', 'noexec', 'nodev'],",
      to: "options: ['nosuid', 'noexec', 'nodev'],",
    },
    of('container-defaults')('/sys and the cgroup file system are read-only'),
    /ro/,
  ),
  weakening(
    'directories-by-descriptor',
    'CVE-2024-45310',
    'a link of the image is followed where a directory is to be made',
    {
      file: files,
      from: 'return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);',
      to: 'return openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);',
    },
    root('a mount point /absolute/new whose symlinks lead out stays inside'),
    /new/,
  ),
];
