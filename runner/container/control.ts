import type { ExecSession } from '../launcher/launcher.ts';

/** A health check's command is an exec, too. */
export type ProbeEvent = { readonly execId: string; readonly command: readonly string[] } & (
  | { readonly kind: 'created' | 'started' }
  | { readonly kind: 'ended'; readonly exitCode: number }
);
export type ProbeListener = (id: string, event: ProbeEvent) => void;

/** What only a person at a terminal, or the Docker API, asks of the container engine. */
export interface ContainerControl {
  /**
   * The stdio of the first process from now on. Of a container that does not run: from the first byte of its next run,
   * for which this waits.
   *
   * @throws BerthError `container.unknown`, and why the start for which it waited failed
   */
  attach(id: string, options?: { signal?: AbortSignal }): Promise<ExecSession>;
  /** @throws BerthError `container.unknown`, `container.name-taken` */
  rename(id: string, name: string): Promise<void>;
  /** Stops it when it runs, then starts it. */
  restart(id: string, options?: { signal?: string; timeoutMs?: number }): Promise<void>;
  /** Called for each step of each health check's command. */
  onProbe?(listener: ProbeListener): Disposable;
  /** The size of its terminal. @throws BerthError `container.not-running` */
  resize(id: string, size: { columns: number; rows: number }): Promise<void>;
}
