import type { ApplyResponse } from '#shared/api/stacks.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { sha256 } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import { randomId } from '#shared/id.ts';
import type { StackConfig } from '#shared/model/service.ts';
import type { ServiceRecord } from '../core/cluster-state.ts';
import type { EventCause } from '../core/event.ts';
import type { Clock, Database } from '../ports.ts';
import { commit, type Db, type Decision, type Statement } from '../store/commit.ts';
import { appendEvents } from '../store/events.ts';
import { listHosts } from '../store/hosts.ts';
import { insertService, listServices, removeServices, updateService } from '../store/services.ts';
import { currentRevisions, removeStack, saveRevision, stackRow, type RevisionRow } from '../store/stacks.ts';
import { diffServices, type ServiceDiff } from './diff.ts';
import { requireFreePorts, requireKnownImages } from './requirements.ts';

/** Who applies, and on what; one for all of the verbs of this file. */
export interface ApplyContext {
  readonly database: Database;
  readonly clock: Clock;
  readonly cause: Extract<EventCause, { kind: 'token' }>;
}

export interface ApplyOptions {
  readonly message?: string | undefined;
  /** Refuse unless this is the current revision's number (0: unless the stack does not exist). */
  readonly expectedRevision?: number | undefined;
}

/**
 * Makes a configuration the desired one: a new revision, its services and the events in one write; nothing at all when
 * it equals the current revision.
 *
 * @throws BerthError `stack.revision`, `port.taken`, `image.unknown`
 */
export function applyStack(
  context: ApplyContext,
  config: StackConfig,
  options: ApplyOptions = {},
): Promise<ApplyResponse> {
  return commit(context.database, async (db) => {
    const [current] = await currentRevisions(db, config.name);
    requireRevision(config.name, current, options.expectedRevision);
    return decide(db, context, config, current, options.message ?? '');
  });
}

/**
 * Changes the number of a service's replicas, as a new revision.
 *
 * @throws BerthError `stack.unknown`, `service.unknown`
 */
export function scaleService(
  context: ApplyContext,
  stack: string,
  service: string,
  replicas: number,
): Promise<ApplyResponse> {
  return commit(context.database, async (db) => {
    const current = await requireStack(db, stack);
    if (!current.config.services.some((one) => one.name === service)) {
      throw new BerthError('not-found', 'service.unknown', `stack ${stack} has no service ${service}`, {
        remedy: `It has: ${current.config.services.map((one) => one.name).join(', ')}.`,
      });
    }
    const services = current.config.services.map((one) => (one.name === service ? { ...one, replicas } : one));
    return decide(db, context, { ...current.config, services }, current, `scale ${service} to ${replicas}`);
  });
}

/**
 * Removes a stack: its services at once, its tasks as their hosts report them stopped. The name is free again, its
 * revisions stay, and the number of the next one goes on from there.
 *
 * @throws BerthError `stack.unknown`
 */
export function deleteStack(context: ApplyContext, stack: string): Promise<void> {
  return commit(context.database, async (db) => {
    await requireStack(db, stack);
    const nowMs = context.clock();
    const services = await listServices(db, stack);
    const events = [
      ...services.map(({ spec }) => ({
        kind: 'service.removed',
        subject: { stack, service: spec.name },
        message: `service ${stack}/${spec.name} was removed`,
        cause: context.cause,
      })),
      { kind: 'stack.removed', subject: { stack }, message: `stack ${stack} was removed`, cause: context.cause },
    ];
    const statements = [
      removeStack(db, stack, nowMs),
      ...removeServices(
        db,
        services.map((service) => service.id),
      ),
      ...appendEvents(db, nowMs, events),
    ];
    return { statements, result: undefined };
  });
}

async function requireStack(db: Db, stack: string): Promise<RevisionRow> {
  const [current] = await currentRevisions(db, stack);
  if (current !== undefined) return current;
  throw new BerthError('not-found', 'stack.unknown', `there is no stack ${stack}`, { remedy: 'berth ls lists them.' });
}

function requireRevision(stack: string, current: RevisionRow | undefined, expected: number | undefined): void {
  const number = current?.number ?? 0;
  if (expected === undefined || expected === number) return;
  const found = number === 0 ? 'does not exist' : `is at revision ${number}`;
  throw new BerthError('conflict', 'stack.revision', `stack ${stack} ${found}, not at revision ${expected}`, {
    remedy: 'Look at what was applied meanwhile, then apply again on that revision.',
  });
}

async function decide(
  db: Db,
  context: ApplyContext,
  config: StackConfig,
  current: RevisionRow | undefined,
  message: string,
): Promise<Decision<ApplyResponse>> {
  const digest = await sha256(canonicalJson(config));
  const all = await listServices(db);
  const mine = all.filter((service) => service.stack === config.name);
  const diff = diffServices(mine, config);
  const answer = { stack: config.name, digest, services: diff.changes };
  if (current?.digest === digest) {
    return { statements: [], result: { ...answer, revision: current.number, changed: false } };
  }
  requireFreePorts(config, all);
  requireKnownImages(config, await listHosts(db), mine);
  const nowMs = context.clock();
  const number = ((await stackRow(db, config.name))?.revision ?? 0) + 1;
  const appliedBy = context.cause.name;
  const revision = { stack: config.name, number, digest, config, message, appliedAtMs: nowMs, appliedBy };
  const statements = [
    ...saveRevision(db, revision),
    ...serviceStatements(db, config.name, diff),
    ...appendEvents(db, nowMs, events(context.cause, revision, diff)),
  ];
  return { statements, result: { ...answer, revision: number, changed: true } };
}

function serviceStatements(db: Db, stack: string, diff: ServiceDiff): Statement[] {
  const created = diff.created.map((spec): ServiceRecord => ({ id: randomId(), stack, spec }));
  return [
    ...removeServices(
      db,
      diff.removed.map((service) => service.id),
    ),
    ...created.map((service) => insertService(db, service)),
    ...diff.updated.map((service) => updateService(db, service)),
  ];
}

function events(cause: EventCause, revision: RevisionRow, diff: ServiceDiff) {
  const { stack, number, message } = revision;
  const changed = diff.changes.filter(({ change }) => change !== 'unchanged');
  return [
    {
      kind: 'stack.applied',
      subject: { stack, revision: String(number) },
      message: `stack ${stack} is at revision ${number}${message === '' ? '' : `: ${message}`}`,
      cause,
    },
    ...changed.map(({ service, change }) => ({
      kind: `service.${change}`,
      subject: { stack, service },
      message: `service ${stack}/${service} was ${change} by revision ${number}`,
      cause,
    })),
  ];
}
