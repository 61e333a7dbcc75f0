import type { Weakening } from '../weakening.ts';

const files = 'runner/launcher/c/files.c';
const mounts = 'runner/launcher/c/mounts.c';
const container = 'runner/launcher/c/container.c';
const plan = 'runner/launcher/plan.ts';
const detached = 'runner/launcher/c/detached.c';
const devices = 'runner/launcher/c/devices.c';
const execute = 'runner/launcher/c/execute.c';
const kernelFiles = 'runner/launcher/c/kernel_files.c';

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
  file: detached,
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
  {
    name: 'real-proc',
    rule: masks,
    without: '/proc and /sys may be reached through a symlink',
    changes: [{ file: mounts, from: 'system || cgroup ? RESOLVE_NO_SYMLINKS : 0);', to: '((void)system, 0));' }],
    test: root('an image in which /proc is a symlink is refused'),
    sees: /resolved/,
  },
  {
    name: 'verified-proc',
    rule: masks,
    without: 'another file system is made for /proc, and what was made is not looked at (both together)',
    changes: [
      {
        file: detached,
        from: 'int context = fsopen(filesystem->type, FSOPEN_CLOEXEC);',
        to: 'int context = fsopen(strcmp(filesystem->type, "proc") ? filesystem->type : "tmpfs", FSOPEN_CLOEXEC);',
      },
      { file: mounts, from: 'if (proc && filesystem_of(mount) != PROC_SUPER_MAGIC)', to: 'if (proc && mount < 0)' },
    ],
    test: root('masked paths are masked'),
    sees: /expected '' to be '0/,
  },
  {
    name: 'nothing-beneath-proc',
    rule: masks,
    without: 'a link of the image leads a mount beneath /sys',
    changes: [guard],
    test: root('a bind to /safe/kernel'),
    sees: /resolved/,
  },
  {
    name: 'nothing-on-proc',
    rule: masks,
    without: 'neither the plan nor the launcher refuses a mount on /proc (both together)',
    changes: [guard, plannedGuard],
    test: root('a bind to /proc, on the masked file systems'),
    sees: /resolved/,
  },
  {
    name: 'no-volume-on-proc',
    rule: masks,
    without: 'neither the engine nor the plan nor the launcher refuses a volume on /proc (all three together)',
    changes: [
      guard,
      plannedGuard,
      {
        file: 'runner/container/container-volumes.ts',
        from: 'if (guarded === undefined) return;',
        to: 'if (guarded !== "") return;',
      },
    ],
    test: volumes('a volume on /proc, where masks are'),
    sees: /resolved/,
  },
  {
    name: 'targets-beneath-the-root',
    rule: targets,
    without: 'mount points are looked up by the kernel’s plain rules',
    changes: [inRoot],
    test: root('a mount point /absolute/new whose symlinks lead out stays inside'),
    sees: /new/,
  },
  {
    name: 'swapped-targets',
    rule: targets,
    without: 'the same, with a target that a container exchanges meanwhile',
    changes: [inRoot],
    test: volumes('a target that is swapped for a link meanwhile leads nowhere'),
    sees: /\[ 'file', '/,
  },
  {
    name: 'parts-of-volumes',
    rule: targets,
    without: 'a part of a volume is looked up by the kernel’s plain rules',
    changes: [
      {
        file: mounts,
        from: 'int part = open_beneath(source, bind->subpath, O_PATH, 0);',
        to: 'int part = openat(source, bind->subpath, O_PATH | O_CLOEXEC);',
      },
    ],
    test: volumes('a part of a volume is looked for beneath the volume'),
    sees: /resolved/,
  },
  {
    name: 'devices-are-made-new',
    rule: targets,
    without: 'what the image has in place of a device is taken for it',
    changes: [
      {
        file: devices,
        from: 'fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && is_device(&status, device)) return 0;',
        to: 'fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0) return 0;',
      },
    ],
    test: of('launcher-namespaces')('a node or link of the image in place of a device is refused (plain)'),
    sees: /resolved/,
  },
  {
    name: 'mask-source',
    rule: 'CVE-2025-31133',
    without: 'nobody looks at the device that masks are made of',
    changes: [{ file: kernelFiles, from: 'if (is_null_device(fd)) return fd;', to: 'if (fd >= 0) return fd;' }],
    test: root('a mask whose source is not device 1:3 is refused'),
    sees: /resolved/,
  },
  {
    name: 'standard-input',
    rule: 'CVE-2025-31133',
    without: 'whatever lies at /dev/null becomes the standard input',
    changes: [
      {
        file: execute,
        from: 'if (!is_null_device(stdio[0])) return fail(report, EPERM, "open standard input", "/dev/null");',
        to: '',
      },
    ],
    test: of('hostile-container')('whose /dev/null is a file is refused'),
    sees: /"exitCode":0/,
  },
  {
    name: 'console',
    rule: 'CVE-2025-52565',
    without: 'what the image has at /dev/console is used, and links there are followed',
    changes: [
      {
        file: devices,
        from: `int target = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600);
    if (target < 0) return fail_closing(parent, report, "make", "/dev/console");`,
        to: `int target = openat(parent, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (target < 0) return fail_closing(parent, report, "make", "/dev/console");`,
      },
    ],
    test: root('/dev/console is the pty itself'),
    sees: /resolved/,
  },
  {
    name: 'private-proc',
    rule: settings,
    without: 'a sysctl is written through the container’s own /proc',
    changes: [
      { file: container, from: '#include <sys/syscall.h>', to: '#include <stdio.h>\n#include <sys/syscall.h>' },
      {
        file: container,
        from: 'return write_sysctl(sysctl->name, sysctl->value, report);',
        to: `char path[4096];
    snprintf(path, sizeof(path), "proc/sys/%s", sysctl->name);
    return write_file_at(progress->root, path, sysctl->value) < 0 ? fail(report, errno, "write sysctl", path) : 0;`,
      },
    ],
    test: root('a sysctl is not written through what an image has at /proc'),
    sees: /77/,
  },
  {
    name: 'sysctl-beneath',
    rule: settings,
    without: 'neither the plan nor the launcher keeps the name of a sysctl beneath /proc/sys (both together)',
    changes: [
      {
        file: plan,
        from: "const path = name.replaceAll('.', '/');",
        to: "const path = name.includes('/') ? name : name.replaceAll('.', '/');",
      },
      { file: plan, from: '/^[a-zA-Z0-9_/-]+$/', to: '/^[.a-zA-Z0-9_/-]+$/' },
      {
        file: kernelFiles,
        from: '.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};',
        to: '.resolve = 0};',
      },
    ],
    test: root('a sysctl is written to the real file'),
    sees: /resolved/,
  },
  {
    name: 'cgroup-namespace',
    rule: 'CVE-2022-0492',
    without: 'the container has the host’s cgroup namespace',
    changes: [
      {
        file: plan,
        from: "...(has('cgroup') ? [{ kind: 'cgroup-namespace' } satisfies ContainerOperation] : []),",
        to: '',
      },
    ],
    test: root('the cgroup file system is this cgroup alone'),
    sees: /0::\//,
  },
  {
    name: 'cgroup-files-read-only',
    rule: 'CVE-2022-0492',
    without: 'the cgroup file system is writable',
    changes: [
      {
        file: 'runner/security/mounts.ts',
        from: "options: ['ro', 'nosuid', 'noexec', 'nodev'],",
        to: "options: ['nosuid', 'noexec', 'nodev'],",
      },
    ],
    test: of('container-defaults')('/sys and the cgroup file system are read-only'),
    sees: /ro/,
  },
  {
    name: 'directories-by-descriptor',
    rule: 'CVE-2024-45310',
    without: 'a link of the image is followed where a directory is to be made',
    changes: [
      {
        file: files,
        from: 'return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);',
        to: 'return openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);',
      },
    ],
    test: root('a mount point /absolute/new whose symlinks lead out stays inside'),
    sees: /new/,
  },
];
