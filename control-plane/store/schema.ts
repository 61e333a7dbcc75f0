import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { Digest } from '#shared/digest.ts';
import type { HostFacts, HostImage, HostState } from '#shared/model/host.ts';
import type { ContainerSpec, OnDisconnect, ServiceSpec, StackConfig } from '#shared/model/service.ts';
import type { HealthState, TaskState } from '#shared/model/task.ts';
import type { TokenScope } from '../core/authorize.ts';
import type { EventCause } from '../core/event.ts';

// The tables of migrations/*.sql, with their comments there; schema.test.ts proves that both agree.

export const cluster = sqliteTable('cluster', {
  id: integer('id').primaryKey().notNull(),
  version: integer('version').notNull(),
  bootstrappedAtMs: integer('bootstrapped_at_ms'),
});

export const tokens = sqliteTable(
  'tokens',
  {
    id: text('id').primaryKey().notNull(),
    name: text('name').notNull(),
    scope: text('scope').$type<TokenScope>().notNull(),
    /** SHA-256 of the token's text, hexadecimal. */
    hash: text('hash').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms'),
  },
  (table) => [uniqueIndex('tokens_name').on(table.name), uniqueIndex('tokens_hash').on(table.hash)],
);

export const joinTokens = sqliteTable(
  'join_tokens',
  {
    id: text('id').primaryKey().notNull(),
    hash: text('hash').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    usedAtMs: integer('used_at_ms'),
  },
  (table) => [uniqueIndex('join_tokens_hash').on(table.hash)],
);

export const hosts = sqliteTable(
  'hosts',
  {
    id: text('id').primaryKey().notNull(),
    name: text('name').notNull(),
    /** Raw Ed25519 key, base64url. */
    publicKey: text('public_key').notNull(),
    state: text('state').$type<HostState>().notNull(),
    facts: text('facts', { mode: 'json' }).$type<HostFacts>().notNull(),
    images: text('images', { mode: 'json' }).$type<readonly HostImage[]>().notNull(),
    joinedAtMs: integer('joined_at_ms').notNull(),
    changedAtMs: integer('changed_at_ms').notNull(),
    generation: integer('generation').notNull(),
    digest: text('digest').$type<Digest>().notNull(),
    appliedGeneration: integer('applied_generation').notNull(),
    ackedSeq: integer('acked_seq').notNull(),
    removedAtMs: integer('removed_at_ms'),
  },
  (table) => [
    uniqueIndex('hosts_name')
      .on(table.name)
      .where(sql`${table.removedAtMs} IS NULL`),
  ],
);

export const stacks = sqliteTable('stacks', {
  name: text('name').primaryKey().notNull(),
  revision: integer('revision').notNull(),
  removedAtMs: integer('removed_at_ms'),
});

export const revisions = sqliteTable(
  'revisions',
  {
    stack: text('stack').notNull(),
    number: integer('number').notNull(),
    digest: text('digest').$type<Digest>().notNull(),
    config: text('config', { mode: 'json' }).$type<StackConfig>().notNull(),
    message: text('message').notNull(),
    appliedAtMs: integer('applied_at_ms').notNull(),
    appliedBy: text('applied_by').notNull(),
  },
  (table) => [primaryKey({ columns: [table.stack, table.number] })],
);

export const services = sqliteTable(
  'services',
  {
    id: text('id').primaryKey().notNull(),
    stack: text('stack').notNull(),
    name: text('name').notNull(),
    spec: text('spec', { mode: 'json' }).$type<ServiceSpec>().notNull(),
  },
  (table) => [uniqueIndex('services_name').on(table.stack, table.name)],
);

export const slots = sqliteTable(
  'slots',
  {
    serviceId: text('service_id').notNull(),
    slot: integer('slot').notNull(),
    epoch: integer('epoch').notNull(),
    pendingReason: text('pending_reason'),
  },
  (table) => [primaryKey({ columns: [table.serviceId, table.slot] })],
);

export const tasks = sqliteTable(
  'tasks',
  {
    id: text('id').primaryKey().notNull(),
    stack: text('stack').notNull(),
    service: text('service').notNull(),
    serviceId: text('service_id').notNull(),
    slot: integer('slot').notNull(),
    epoch: integer('epoch').notNull(),
    attempt: integer('attempt').notNull(),
    hostId: text('host_id').notNull(),
    container: text('container', { mode: 'json' }).$type<ContainerSpec>().notNull(),
    onDisconnect: text('on_disconnect', { mode: 'json' }).$type<OnDisconnect>().notNull(),
    desired: integer('desired', { mode: 'boolean' }).notNull(),
    /** True in a terminal state; kept beside `state` so that the live tasks are found by an index. */
    ended: integer('ended', { mode: 'boolean' }).notNull(),
    /** The first generation of its host's assignment that has it, and the first that has it no more. */
    generation: integer('generation').notNull(),
    retiredGeneration: integer('retired_generation'),
    createdAtMs: integer('created_at_ms').notNull(),
    runningAtMs: integer('running_at_ms'),
    endedAtMs: integer('ended_at_ms'),
    state: text('state').$type<TaskState>().notNull(),
    health: text('health').$type<HealthState>().notNull(),
    containerId: text('container_id'),
    address: text('address'),
    exitCode: integer('exit_code'),
    oomKilled: integer('oom_killed', { mode: 'boolean' }),
    restarts: integer('restarts').notNull(),
    message: text('message').notNull(),
    observedAtMs: integer('observed_at_ms'),
  },
  (table) => [
    index('tasks_host').on(table.hostId, table.desired),
    index('tasks_slot').on(table.serviceId, table.slot, table.epoch),
    index('tasks_live').on(table.desired, table.ended),
  ],
);

export const events = sqliteTable(
  'events',
  {
    id: integer('id').primaryKey({ autoIncrement: true }).notNull(),
    atMs: integer('at_ms').notNull(),
    kind: text('kind').notNull(),
    stack: text('stack'),
    subject: text('subject', { mode: 'json' }).$type<Readonly<Record<string, string>>>().notNull(),
    message: text('message').notNull(),
    cause: text('cause', { mode: 'json' }).$type<EventCause>().notNull(),
  },
  (table) => [index('events_stack').on(table.stack, table.id)],
);
