import type { Readable, Writable } from 'node:stream';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import type { RootFilesystem } from '../os/root-filesystem.ts';

/**
 * The container's end of a veth pair: addresses are IPv4 dotted quads. The host end is a port of the bridge in hairpin
 * mode (IFLA_BRPORT_MODE 1): where the kernel shows bridged frames to netfilter (net.bridge.bridge-nf-call-iptables, as
 * other engines set it), a container reaches itself through its own published port only so.
 */
export interface LinkSpec {
  /** Bridge in the runner's network namespace to which the host end is attached. */
  readonly bridge: string;
  /** Name of the host end, at most 15 characters, unique to the container. */
  readonly hostName: string;
  /** Name inside the container (`eth0`). */
  readonly containerName: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
  /** Absent: the kernel's default. */
  readonly mtuBytes?: number | undefined;
  /** It reaches no other isolated link of the bridge, but the host. */
  readonly isolated?: boolean;
}

/** How the shim writes the log: its rotation (0 bytes: none), its form (json-file when absent). */
export interface ShimLog {
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly format?: 'json-file' | 'local' | 'none';
  /** A JSON object that is a part of each json-file entry. */
  readonly attributes?: string;
}

/** A program with the command line of runc. */
export interface OciRuntime {
  /** Absolute path. */
  readonly path: string;
  /**
   * Who attaches the program that enforces the device rules. `launcher`: they are not told to the runtime; for crun, which
   * wants to lift the limit of locked memory before, and ends where it may not (CAP_SYS_RESOURCE).
   */
  readonly deviceRules: 'runtime' | 'launcher';
}

/** An OCI runtime for one launch. */
export interface ChosenRuntime extends OciRuntime {
  /** What a privileged exec gets: all that we have ourselves, since a runtime fails for more. */
  readonly capabilities: readonly string[];
}

/** What a launch needs beside the OCI spec. Paths are absolute and on the host. */
export interface LaunchRequest {
  readonly containerId: string;
  readonly spec: RuntimeSpec;
  readonly root: RootFilesystem;
  /**
   * User as the image or the caller wrote it (`name`, `uid`, `name:group`, `uid:gid`, empty for root): looked up in
   * /etc/passwd and /etc/group beneath the root by the launcher. It replaces `spec.process.user`.
   */
  readonly user: string;
  readonly additionalGroups: readonly string[];
  readonly links: readonly LinkSpec[];
  /** The OCI runtime that makes the container; absent: the launcher itself does. */
  readonly runtime?: ChosenRuntime;
  /** Where the shim keeps its socket, its log and exit.json; exists, mode 0700. */
  readonly stateDirectory: string;
  /** Keep stdin open for attach; else it reads end of file. */
  readonly stdin: boolean;
  readonly log: ShimLog;
  /** So many sessions are attached before the first byte of output is read; see `Shim.attached`. Absent: none. */
  readonly attachments?: number;
}

/** How a container's first process ended, as the shim wrote it to exit.json before it told anyone. */
export interface ExitReport {
  /** Exit code, or 128 + signal number. */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly finishedAtMs: number;
}

export interface ExecRequest {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly terminal: boolean;
  readonly size?: { readonly columns: number; readonly rows: number };
  readonly stdin: boolean;
  /** Groups beside the user's own, as in `LaunchRequest`. */
  readonly additionalGroups?: readonly string[];
  /** All capabilities that we have, no seccomp filter, no no-new-privileges: `docker exec --privileged`. */
  readonly privileged?: boolean;
}

/** A process in a container, its stdio at the runner. Not reading stdout or stderr stalls only this process. */
export interface ExecSession extends AsyncDisposable {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Ends at once for a terminal. */
  readonly stderr: Readable;
  readonly exit: Promise<number>;
  resize(size: { columns: number; rows: number }): Promise<void>;
  signal(signal: number): Promise<void>;
  /**
   * Ends the process and all that came from it, wherever those have gone; of an attach: the container. Does nothing when
   * they are gone already.
   */
  kill(): Promise<void>;
}

/** A connection to the shim of one container. The shim lives on when it is closed. */
export interface Shim extends AsyncDisposable {
  /** Host pid of the container's first process. */
  readonly pid: number;
  /** Resolves when the process has ended and exit.json is written; rejects `shim.lost` when the shim died first. */
  readonly exit: Promise<ExitReport>;
  signal(signal: number): Promise<void>;
  /** Sends `signal`, and SIGKILL to all of the container's processes after `timeoutMs`; the shim does it even if we die. */
  stop(signal: number, timeoutMs: number): Promise<void>;
  exec(request: ExecRequest): Promise<ExecSession>;
  /** stdio of the first process from now on; its log is written regardless. */
  attach(): Promise<ExecSession>;
  resize(size: { columns: number; rows: number }): Promise<void>;
  /** The sessions that the launch asked for, which see the output from its first byte; the caller disposes them. */
  readonly attached: readonly ExecSession[];
}

/** The resident spawner and the shims that it forked. One a runner. */
export interface Launcher extends AsyncDisposable {
  /**
   * Makes the container's process; resolves once it has been exec'ed (or is about to run the image's first instruction).
   *
   * @throws BerthError `launch.failed` with (operation, object, errno) in the text; `launch.command-not-found` (127),
   * `launch.command-not-executable` (126), `launch.user-unknown`
   */
  launch(request: LaunchRequest): Promise<Shim>;
  /**
   * The shim of a container that an earlier runner started. Undefined when none listens: what it left has been removed.
   *
   * @throws BerthError `shim.busy` when one listens that does not answer; the container is left alone
   */
  connect(stateDirectory: string): Promise<Shim | undefined>;
  /** Creates the bridge with its address if it is not there, brings it up; idempotent. */
  ensureBridge(bridge: { name: string; address: string; prefixLength: number }): Promise<void>;
  /** Removes a link by name; idempotent. */
  removeLink(name: string): Promise<void>;
  /**
   * Gives the network namespace of a running process a link: what a launch does with `LaunchRequest.links`. With a
   * `gateway` the default route becomes this link's, whose ever it was. What an earlier attempt left is replaced.
   *
   * @throws BerthError `link.no-process` when there is no such process, `launch.failed`
   */
  connectLink(pid: number, link: LinkSpec): Promise<void>;
  /** Takes the link of that name away from the network namespace of a process; idempotent, also when that has ended. */
  disconnectLink(pid: number, containerName: string): Promise<void>;
  /**
   * The default route in the network namespace of a process becomes one by that link of it, whose ever it was.
   *
   * @throws BerthError `link.no-process`, `launch.failed`
   */
  setGateway(pid: number, containerName: string, gateway: string): Promise<void>;
}
