import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run, type CommandResult } from '../support/stage/command.ts';

/** Where the setup script unpacks the clients that are not installed. */
const unpacked = join(import.meta.dirname, '..', '..', 'build', 'python-clients', 'usr');
const python = '/usr/bin/python3';
const DEADLINE_MS = 170_000;

/** The directories of Python modules that were unpacked: dist-packages, and what belongs to a version of Python. */
function modulePath(): string {
  const library = join(unpacked, 'lib');
  if (!existsSync(library)) return '';
  const versions = readdirSync(library).filter((name) => name.startsWith('python3.'));
  return [join(library, 'python3', 'dist-packages'), ...versions.map((name) => join(library, name))].join(':');
}

/** Runs a Python program against an engine's socket, as a user of that engine would. */
export function runPython(
  socketPath: string,
  argv: readonly string[],
  options: { readonly directory?: string; readonly input?: string } = {},
): Promise<CommandResult> {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: options.directory ?? '/nonexistent',
    DOCKER_HOST: `unix://${socketPath}`,
    PYTHONPATH: modulePath(),
    // Nothing is written beside the unpacked modules.
    PYTHONDONTWRITEBYTECODE: '1',
    COMPOSE_HTTP_TIMEOUT: '160',
    // docker-compose 1.29 needs a field of image inspect (ContainerConfig) that versions from 1.45 on have no more.
    COMPOSE_API_VERSION: '1.44',
  };
  return run([python, '-W', 'ignore', ...argv], { environment, signal: AbortSignal.timeout(DEADLINE_MS), ...options });
}

/** The path of docker-compose, which is a Python program. */
export function composePath(): string {
  const own = join(unpacked, 'bin', 'docker-compose');
  return existsSync(own) ? own : '/usr/bin/docker-compose';
}
