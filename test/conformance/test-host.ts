import { assignmentDigest, type Assignment, type AssignmentVersion } from '#shared/model/assignment.ts';
import type { HostFacts } from '#shared/model/host.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/control.ts';
import type { Admin } from './admin.ts';
import { HostChannel } from './host-channel.ts';
import { newHostKey, type HostKey } from './host-key.ts';
import type { Target } from './target.ts';

const facts: HostFacts = {
  hostname: 'test',
  os: 'Debian GNU/Linux 12',
  kernel: '6.18',
  architecture: 'amd64',
  cpus: 2,
  memoryBytes: 2 ** 32,
  controllers: [],
  runnerVersion: '0.1.0',
};

/** The image that every test host says it holds. */
export const TEST_IMAGE = 'docker.io/library/hello:1';
const images = [{ id: `sha256:${'a'.repeat(64)}`, references: [TEST_IMAGE], sizeBytes: 1, createdAtMs: 0 }];

const EMPTY: Assignment = { tasks: [] };

/** An enrolled host that speaks the control channel by hand, so that a test can break each rule of it. */
export class TestHost implements AsyncDisposable {
  readonly id: string;
  readonly name: string;
  /** What it holds, as a runner keeps it on disk over connections. */
  assignment: Assignment = EMPTY;
  version: AssignmentVersion;
  /** The version of having never had one. */
  readonly #none: AssignmentVersion;
  readonly #target: Target;
  readonly #admin: Admin;
  readonly #key: HostKey;
  #channel: HostChannel | undefined;

  private constructor(
    target: Target,
    admin: Admin,
    host: { id: string; name: string; key: HostKey; version: AssignmentVersion },
  ) {
    this.#target = target;
    this.#admin = admin;
    this.id = host.id;
    this.name = host.name;
    this.#key = host.key;
    this.version = host.version;
    this.#none = host.version;
  }

  static async join(target: Target, admin: Admin, name: string): Promise<TestHost> {
    const key = await newHostKey();
    const id = await admin.join({ protocol: PROTOCOL_VERSION, name, publicKey: key.publicKey, facts });
    const version = { generation: 0, digest: await assignmentDigest(EMPTY) };
    return new TestHost(target, admin, { id, name, key, version });
  }

  /** A new WebSocket; nothing is answered yet. */
  dial(): Promise<HostChannel> {
    return HostChannel.dial(this.#target.url, this.id);
  }

  /** A hello that is right for this challenge. */
  async hello(nonce: string): Promise<object> {
    const signature = await this.#key.sign(this.id, nonce);
    const { version } = this;
    return { kind: 'hello', protocol: PROTOCOL_VERSION, hostId: this.id, signature, facts, images, version };
  }

  /** Dials and completes the handshake; heartbeats are sent from then on. */
  async connect(): Promise<HostChannel> {
    const channel = await this.dial();
    const { nonce } = await channel.next('challenge');
    channel.send(await this.hello(nonce));
    const welcome = await channel.next('welcome');
    channel.startHeartbeats(welcome.heartbeatMs);
    this.#channel = channel;
    return channel;
  }

  /** Takes assignments and increments, as a runner does, until what it holds satisfies `holds`. */
  async until(channel: HostChannel, holds: (assignment: Assignment) => boolean): Promise<void> {
    while (!holds(this.assignment)) {
      const { version, assignment } = await channel.nextAssignment(this.assignment);
      this.version = version;
      this.assignment = assignment;
    }
  }

  /** Loses what it held, as a runner on an empty disk does. */
  forget(): void {
    this.assignment = EMPTY;
    this.version = this.#none;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel?.terminate();
    await this.#admin.removeHost(this.name).catch(() => undefined); // a test may have removed it
  }
}
