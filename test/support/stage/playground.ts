import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { run, runOk } from './command.ts';

/** The wires' networks are the /24s of 10.208.0.0/12. */
const FIRST_SECOND = 208;
const PREFIXES = 16 * 256;

/** A pretended machine: a network namespace with one link to the others. */
export interface Machine {
  readonly namespace: string;
  /** Its address on the wire between the machines, and from here. */
  readonly address: string;
  /** The name of the link's end on this machine. */
  readonly link: string;
}

/** Two pretended machines and the wire between them and this one: a bridge here, a veth pair to each. */
export interface Playground extends AsyncDisposable {
  /** This machine's address on the wire. */
  readonly address: string;
  readonly machines: readonly [Machine, Machine];
}

/**
 * Makes the machines `berth-stage-TAG-a` and `-b`. The wire gets a /24 of 10.0.0.0/8 that no route here covers. No
 * packet is forwarded for them by this machine: they reach what listens on `address`, and each other.
 */
export async function createPlayground(tag: string): Promise<Playground> {
  const prefix = await freePrefix();
  const bridge = `bd${tag}`;
  const names = ['a', 'b'].map((letter) => ({ letter, namespace: `berth-stage-${tag}-${letter}` }));
  const dispose = async (): Promise<void> => {
    for (const { letter, namespace } of names) {
      await run(['ip', 'link', 'del', `bd${tag}${letter}`]);
      await run(['ip', 'netns', 'del', namespace]);
    }
    await run(['ip', 'link', 'del', bridge]);
  };
  try {
    await runOk(['ip', 'link', 'add', bridge, 'type', 'bridge']);
    await runOk(['ip', 'address', 'add', `${prefix}.1/24`, 'dev', bridge]);
    await runOk(['ip', 'link', 'set', bridge, 'up']);
    const [a, b] = await Promise.all(
      names.map(({ letter, namespace }, index) =>
        addMachine(bridge, `bd${tag}${letter}`, namespace, `${prefix}.${11 + index}`),
      ),
    );
    if (a === undefined || b === undefined) throw new Error('the playground has two machines');
    return { address: `${prefix}.1`, machines: [a, b], [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function addMachine(bridge: string, link: string, namespace: string, address: string): Promise<Machine> {
  await runOk(['ip', 'netns', 'add', namespace]);
  await runOk(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
  await runOk(['ip', 'link', 'set', link, 'master', bridge, 'up']);
  await runOk(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
  await runOk(['ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
  await runOk(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up']);
  return { namespace, address, link };
}

/**
 * The first three numbers of a /24 below 10.0.0.0/8 that overlaps no route of this machine but the default. The search
 * begins anywhere, so that two playgrounds that are made at the same moment do not choose the same one.
 */
async function freePrefix(): Promise<string> {
  const table = await readFile('/proc/net/route', 'utf8');
  const routes = table
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    // Little-endian hex: destination and mask (proc_net(5), "route").
    .map((fields) => ({ to: swapped(fields[1] ?? ''), mask: swapped(fields[7] ?? '') }))
    .filter(({ mask }) => mask !== 0);
  const start = randomInt(PREFIXES);
  for (let index = 0; index < PREFIXES; index += 1) {
    const number = (start + index) % PREFIXES;
    const [second, third] = [FIRST_SECOND + (number >> 8), number & 255];
    const candidate = ((10 << 24) | (second << 16) | (third << 8)) >>> 0;
    const overlaps = routes.some(({ to, mask }) => {
      const common = (mask & 0xff_ff_ff_00) >>> 0;
      return (candidate & common) >>> 0 === (to & common) >>> 0;
    });
    if (!overlaps) return `10.${second}.${third}`;
  }
  throw new Error('no free network: every /24 of 10.208.0.0/12 overlaps a route of this machine');
}

function swapped(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE(0);
}
