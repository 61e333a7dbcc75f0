import { join } from 'node:path';
import type { ChosenRuntime, LaunchRequest } from './launcher.ts';
import { namespaceOrigin } from './namespaces.ts';
import type { LaunchPlan } from './operations.ts';
import { addresses, containerHostOperations, deviceControl, rootMount, type PlanOptions } from './plan.ts';
import { preparedBinds } from './prepared-binds.ts';
import { runtimeDocuments } from './runtime-config.ts';

/** Where in a state directory an OCI runtime has its bundle, and what it notes of the container. */
export function runtimeDirectories(stateDirectory: string): { readonly bundle: string; readonly root: string } {
  return { bundle: join(stateDirectory, 'bundle'), root: join(stateDirectory, 'runtime') };
}

/** A text of the plan has a limit, which a seccomp profile may be over. */
const CHUNK_CHARACTERS = 64 * 1024;

function chunks(text: string): readonly string[] {
  const count = Math.ceil(text.length / CHUNK_CHARACTERS);
  return Array.from({ length: count }, (_, at) => text.slice(at * CHUNK_CHARACTERS, (at + 1) * CHUNK_CHARACTERS));
}

/**
 * The plan of a container that an OCI runtime makes: cgroup, root, links and user are ours, all that the spec says else is
 * the runtime's.
 *
 * @throws BerthError `launch.invalid`, `launch.unsupported`
 */
export function planRuntimeLaunch(
  request: LaunchRequest,
  runtime: ChosenRuntime,
  options: Omit<PlanOptions, 'seccompProgram'>,
): LaunchPlan {
  const { spec, containerId } = request;
  const { bundle, root } = runtimeDirectories(request.stateDirectory);
  const binds = preparedBinds(spec, bundle);
  const documents = runtimeDocuments(
    { ...spec, mounts: binds.mounts },
    { networkPath: join(bundle, 'net'), ...runtime },
  );
  const { config, process, privileged } = documents;
  const { cgroupRoot } = options;
  const hasNetwork = namespaceOrigin(spec, 'network') === 'new';
  return {
    host: [
      ...containerHostOperations(request, options),
      ...(runtime.deviceRules === 'launcher' ? deviceControl(spec) : []),
      {
        kind: 'runtime',
        binary: runtime.path,
        root,
        bundle,
        containerId,
        cgroupRoot,
        config: chunks(config),
        process,
        privileged,
      },
    ],
    container: [
      rootMount(request, join(bundle, 'rootfs')),
      ...binds.operations,
      ...(hasNetwork ? [{ kind: 'loopback' } as const] : []),
      ...addresses(request.links),
      { kind: 'user', user: request.user, groups: request.additionalGroups },
      { kind: 'cwd', path: spec.process.cwd, create: true },
      { kind: 'exec', umask: 0o022, args: spec.process.args, env: spec.process.env },
    ],
  };
}
