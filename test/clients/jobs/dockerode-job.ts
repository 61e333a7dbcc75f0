/*
 * A job of several steps by the client library dockerode. Arguments: the engine's socket, an image archive with
 * `busybox:latest`. Prints one JSON object: what each step gave.
 */
import { createReadStream } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { tar } from '../../support/tar.ts';

const [socketPath = '', archive = ''] = process.argv.slice(2);
const docker = new Docker({ socketPath });
const result: Record<string, unknown> = {};

async function drained(stream: NodeJS.ReadableStream): Promise<string> {
  return text(stream as Readable);
}

/** Standard output of a command in the container, and its exit code. */
async function executed(container: Docker.Container, command: string[]): Promise<[string, number | null]> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: false });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.on('end', () => stdout.end());
  const said = await text(stdout);
  return [said, (await exec.inspect()).ExitCode];
}

result['loaded'] = (await drained(await docker.loadImage(createReadStream(archive)))).includes('Loaded image');
const events: string[] = [];
const eventStream = await docker.getEvents({ filters: { type: ['container', 'network', 'volume'] } });
eventStream.on('data', (line: Buffer) => {
  for (const one of line.toString().trim().split('\n')) {
    const { Type, Action } = JSON.parse(one) as { Type: string; Action: string };
    events.push(`${Type} ${Action}`);
  }
});

const network = await docker.createNetwork({ Name: 'harbour', Labels: { purpose: 'job' } });
const volume = await docker.createVolume({ Name: 'cargo', Labels: { purpose: 'job' } });

// A job in the foreground, its streams told apart.
const [stdout, stderr] = [new PassThrough(), new PassThrough()];
const said = Promise.all([text(stdout), text(stderr)]);
const [ended, worker] = (await docker.run(
  'busybox',
  ['sh', '-c', 'echo made > /cargo/parcel; echo out; echo err >&2; exit 4'],
  [stdout, stderr],
  { name: 'worker', Tty: false, HostConfig: { Binds: ['cargo:/cargo'] } },
)) as [{ StatusCode: number }, Docker.Container];
stdout.end();
stderr.end();
result['run'] = [ended.StatusCode, ...(await said)];

// A service that another container finds by its name.
const service = await docker.createContainer({
  Image: 'busybox',
  name: 'service',
  Cmd: ['httpd', '-f', '-p', '80', '-h', '/cargo'],
  HostConfig: { Binds: ['cargo:/cargo:ro'], NetworkMode: 'harbour' },
  NetworkingConfig: { EndpointsConfig: { harbour: { Aliases: ['shop'] } } },
});
await service.start();
const client = await docker.createContainer({
  Image: 'busybox',
  name: 'client',
  Cmd: ['sleep', '1000'],
  HostConfig: { NetworkMode: 'harbour', RestartPolicy: { Name: 'unless-stopped' } },
});
await client.start();
while ((await executed(client, ['wget', '-qO-', 'http://service/parcel']))[1] !== 0); // until the server listens
result['byName'] = await executed(client, ['wget', '-qO-', 'http://service/parcel']);
result['byAlias'] = await executed(client, ['wget', '-qO-', 'http://shop/parcel']);
result['readOnly'] = (await executed(service, ['touch', '/cargo/new']))[1];

// Files in and out.
await client.putArchive(tar([{ name: 'note', content: 'hello\n' }]), { path: '/tmp' });
result['copied'] = await executed(client, ['cat', '/tmp/note']);
result['archive'] = (await drained(await client.getArchive({ path: '/tmp/note' }))).includes('hello');

// Logs, limits, states.
result['logs'] = (await worker.logs({ stdout: true, stderr: false })).subarray(8).toString();
await client.update({ RestartPolicy: { Name: 'no' } });
await client.pause();
result['paused'] = (await client.inspect()).State.Status;
await client.unpause();
const stats = await client.stats({ stream: false });
result['pids'] = stats.pids_stats?.current;
result['top'] = (await client.top()).Processes.length;

// A new image from a container.
await client.commit({ repo: 'committed', tag: '1', changes: ['CMD ["cat", "/tmp/note"]', 'LABEL made=here'] });
const [again, second] = (await docker.run('committed:1', [], new PassThrough(), { Tty: false })) as [
  { StatusCode: number },
  Docker.Container,
];
result['committed'] = [again.StatusCode, (await second.logs({ stdout: true })).subarray(8).toString()];
result['changes'] = (await client.changes()).filter(({ Path }: { Path: string }) => Path === '/tmp/note');
result['networkOf'] = Object.keys((await client.inspect()).NetworkSettings.Networks);
result['volumes'] = (await docker.listVolumes({ filters: { label: ['purpose=job'] } })).Volumes.map(({ Name }) => Name);

for (const container of [worker, service, client, second]) await container.remove({ force: true });
await network.remove();
await volume.remove();
await docker.getImage('committed:1').remove();
result['left'] = [(await docker.listContainers({ all: true })).length, (await docker.listNetworks()).length];
(eventStream as Readable).destroy();
result['events'] = [...new Set(events)].toSorted();
process.stdout.write(`${JSON.stringify(result)}\n`);
