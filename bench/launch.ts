import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { Laboratory, link, until, exists } from '../test/launcher/fixture.ts';
import { seccompProfile } from '../runner/security/seccomp.ts';

/**
 * How long from the request until the process runs: ours with an overlay, all namespaces, Docker's seccomp rules and a
 * veth, against crun and runc on the same root file system and spec without overlay and veth (which they leave to
 * others). Usage: node bench/launch.ts [RUNS].
 */
const runs = Number(process.argv[2] ?? 200);

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

function summary(name: string, times: number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  const [median, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
  const best = sorted[0] ?? 0;
  console.log(
    `${name.padEnd(34)} median ${median.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  best ${best.toFixed(2)} ms`,
  );
  return median;
}

await using laboratory = await Laboratory.open();
const kernel = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim();
const withDockersFilter = (spec: RuntimeSpec): RuntimeSpec => ({
  ...spec,
  process: { ...spec.process, args: ['/bin/true'] },
  linux: {
    ...spec.linux,
    seccomp: seccompProfile({ architecture: 'amd64', kernel, capabilities: spec.process.capabilities.bounding }),
  },
});

async function ours(links: boolean): Promise<{ ready: number[]; complete: number[] }> {
  const ready: number[] = [];
  const complete: number[] = [];
  for (let index = 0; index < runs; index += 1) {
    const end = link(laboratory.instance, (index % 200) + 2);
    const request = await laboratory.request('', {
      spec: withDockersFilter,
      request: { links: links ? [{ ...end, hostName: `${end.hostName}x${index}` }] : [] },
    });
    const begin = performance.now();
    const shim = await laboratory.launcher.launch(request);
    ready.push(performance.now() - begin);
    await shim.exit;
    complete.push(performance.now() - begin);
    await shim[Symbol.asyncDispose]();
    await until(() => !exists(join(request.stateDirectory, 'shim.sock')));
  }
  return { ready, complete };
}

/** `start` of a container that `create` has made is not measured alone: a launch is both. */
async function peer(program: string): Promise<number[]> {
  const bundle = join(laboratory.directory, program);
  mkdirSync(bundle, { recursive: true });
  const request = await laboratory.request('', { spec: withDockersFilter });
  const { spec } = request;
  const config = {
    ...spec,
    ociVersion: '1.0.2', // Debian 12's know no later one
    root: { path: laboratory.rootfs, readonly: true },
    // The cgroup v1 hierarchies of a hybrid host are nobody's business here.
    mounts: spec.mounts.filter(({ type }) => type !== 'cgroup'),
    linux: { ...spec.linux, cgroupsPath: undefined, devices: undefined },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const times: number[] = [];
  for (let index = 0; index < runs; index += 1) {
    const name = `${laboratory.instance}-${index}`;
    const begin = performance.now();
    const result = spawnSync(program, ['run', '--bundle', bundle, name], { stdio: ['ignore', 'ignore', 'pipe'] });
    times.push(performance.now() - begin);
    if (result.status !== 0) throw new Error(`${program}: ${result.stderr.toString()}`);
  }
  return times;
}

const end = link(laboratory.instance, 2);
await laboratory.launcher.ensureBridge({ name: end.bridge, address: end.gateway, prefixLength: 24 });
try {
  await ours(true); // compiles the filter, warms the caches
  const all = await ours(true);
  const plain = await ours(false);
  const median = summary('berth, request -> ready', all.ready);
  summary('berth, request -> ended', all.complete);
  const withoutLink = summary('berth without veth, -> ready', plain.ready);
  const ended = summary('berth without veth, -> ended', plain.complete);
  for (const program of ['crun', 'runc']) {
    try {
      const other = summary(`${program} run (to its end)`, await peer(program));
      console.log(
        `  ${program} / berth: ready ${(other / median).toFixed(1)}x, without veth ${(other / withoutLink).toFixed(1)}x, ` +
          `to the end without veth ${(other / ended).toFixed(1)}x`,
      );
    } catch (error) {
      console.log(`${program}: not measured: ${String(error)}`);
    }
  }
} finally {
  await laboratory.launcher.removeLink(end.bridge);
}
