import type { RuntimeDevice } from '#shared/oci/runtime-spec.ts';

function character(path: string, major: number, minor: number): RuntimeDevice {
  return { path, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

/**
 * The devices of every container (runtime-spec, config-linux.md, "Default Devices"). /dev/ptmx is a link to pts/ptmx
 * and /dev/console is bound from the container's own terminal: both are the launcher's, not device nodes.
 */
export const defaultDevices: readonly RuntimeDevice[] = [
  character('/dev/null', 1, 3),
  character('/dev/zero', 1, 5),
  character('/dev/full', 1, 7),
  character('/dev/random', 1, 8),
  character('/dev/urandom', 1, 9),
  character('/dev/tty', 5, 0),
];
