import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BerthError } from '#shared/errors.ts';
import { json, type Answer } from './answer.ts';
import { option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { containerEvent } from './translate/event-message.ts';
import { notRunning, requireContainer } from './docker-errors.ts';

const run = promisify(execFile);

/** GET /containers/{id}/top: what the host's ps says of the container's processes. */
export async function topContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  if (record.state !== 'running') throw notRunning(record);
  const args = (option(request, 'ps_args') ?? '-ef').split(/\s+/).filter((word) => word !== '');
  const pids = await processesOf(join(context.cgroupDirectory, record.config.cgroupParent, record.id));
  const { Titles, Processes } = parsePs(await psOutput(args), pids);
  context.events.tell(containerEvent(record, 'top'));
  return json({ Titles, Processes });
}

/** Runs ps by its arguments alone: they reach no shell, and ps writes nothing. */
async function psOutput(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('ps', [...args], {
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      maxBuffer: 16 * 2 ** 20,
    });
    return stdout;
  } catch (cause) {
    const said = (cause as { stderr?: unknown }).stderr;
    const why = typeof said === 'string' ? (said.trim().split('\n')[0] ?? '') : '';
    throw new BerthError('invalid', 'docker.ps-failed', `ps: ${why}`, { cause });
  }
}

/** Host pids in a cgroup and below. */
async function processesOf(directory: string): Promise<ReadonlySet<string>> {
  const pids = new Set<string>();
  const waiting = [directory];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const text = await readFile(join(one, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const pid of text.split('\n')) if (pid !== '') pids.add(pid);
    for (const entry of await readdir(one, { withFileTypes: true }).catch(() => [])) {
      if (entry.isDirectory()) waiting.push(join(one, entry.name));
    }
  }
  return pids;
}

/** The lines of ps that are about these processes, in columns; the last column keeps its spaces (moby top_unix.go). */
function parsePs(
  text: string,
  pids: ReadonlySet<string>,
): { readonly Titles: readonly string[]; readonly Processes: readonly (readonly string[])[] } {
  const [head = '', ...lines] = text.split('\n');
  const titles = head.split(/\s+/).filter((word) => word !== '');
  const pidAt = titles.indexOf('PID');
  if (pidAt < 0) throw new BerthError('invalid', 'docker.ps-failed', "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  for (const line of lines) {
    const words = line.split(/\s+/).filter((word) => word !== '');
    if (!pids.has(words[pidAt] ?? '')) continue;
    const last = titles.length - 1;
    processes.push([...words.slice(0, last), words.slice(last).join(' ')]);
  }
  return { Titles: titles, Processes: processes };
}
