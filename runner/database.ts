import type { DatabaseSync } from 'node:sqlite';
import { randomId } from '#shared/id.ts';
import { RunnerDatabase } from './runner-database.ts';

/**
 * The schema of runner.db, one entry a version, applied in order and never edited once released. JSON columns hold what
 * their room's zod schema describes and are parsed with it.
 */
const migrations = [
  `
  create table meta (key text primary key, value text not null) strict;
  create table images (
    id text primary key, config text not null, layers text not null, size_bytes integer not null,
    created_at_ms integer not null
  ) strict;
  create table image_references (reference text primary key, image_id text not null references images (id)) strict;
  create table containers (
    id text primary key, name text not null unique, config text not null, state text not null, health text not null,
    pid integer not null, desired text not null, exit_code integer, oom_killed integer not null, error text not null,
    restarts integer not null, created_at_ms integer not null, started_at_ms integer, finished_at_ms integer,
    restart_at_ms integer
  ) strict;
  create table address_leases (container_id text primary key, address integer not null unique) strict;
  create table port_reservations (
    protocol text not null, host_port integer not null, publish_group text not null, container_id text not null,
    primary key (protocol, host_port, container_id)
  ) strict;
  create table assignment (
    only integer primary key check (only = 1), generation integer not null, digest text not null, content text not null
  ) strict;
  create table slot_epochs (service_id text not null, slot integer not null, epoch integer not null,
    primary key (service_id, slot)) strict;
  create table task_outcomes (task_id text primary key, status text) strict;
  create table outbox (seq integer primary key autoincrement, batch text not null) strict;
  `,
  // Networks that somebody made, an address lease a network, and host ports by address. Leases from before are those of
  // the default network, whose id the network's room puts in when it starts.
  `
  create table networks (
    id text primary key, name text not null unique, state text not null, record text not null,
    created_at_ms integer not null
  ) strict;
  create table network_leases (
    network_id text not null, container_id text not null, address integer not null, mac text not null,
    interface text not null, primary key (network_id, container_id), unique (network_id, address)
  ) strict;
  insert into network_leases (network_id, container_id, address, mac, interface)
    select 'bridge', container_id, address, '', 'eth0' from address_leases;
  drop table address_leases;
  create table bound_ports (
    protocol text not null, host_address text not null, host_port integer not null, container_port integer not null,
    publish_group text not null, container_id text not null,
    primary key (protocol, host_address, host_port, container_port, container_id)
  ) strict;
  insert into bound_ports (protocol, host_address, host_port, container_port, publish_group, container_id)
    select protocol, '0.0.0.0', host_port, 0, publish_group, container_id from port_reservations;
  drop table port_reservations;
  alter table bound_ports rename to port_reservations;
  `,
  `
  create table volumes (
    name text primary key, options text not null, labels text not null, created_at_ms integer not null, bound_to text
  ) strict;
  `,
];

/** Opens runner.db, brings its schema up to date. One process a file: an exclusive lock is held until it is closed. */
export function openRunnerDatabase(path: string): RunnerDatabase {
  const database = new RunnerDatabase(path);
  const row = database.prepare('pragma user_version').get();
  const version = Number(row?.['user_version'] ?? 0);
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    database.exec(`begin immediate; ${sql}; pragma user_version = ${index + 1}; commit`);
  }
  return database;
}

/**
 * Eight characters that name this data root for ever: part of the names of its bridge, nftables table and cgroup, so
 * that two runners on one machine never meet.
 */
export function instanceId(database: DatabaseSync): string {
  database.prepare("insert or ignore into meta (key, value) values ('instance', ?)").run(randomId(8));
  const row = database.prepare("select value from meta where key = 'instance'").get();
  return String(row?.['value']);
}

/** Remembers where the runner of this data root listens, for who takes it down when that was killed. */
export function rememberSocket(database: DatabaseSync, path: string): void {
  database.prepare("insert or replace into meta (key, value) values ('socket', ?)").run(path);
}

/** Where its last runner listened. */
export function lastSocket(database: DatabaseSync): string | undefined {
  const row = database.prepare("select value from meta where key = 'socket'").get();
  return row === undefined ? undefined : String(row['value']);
}

/** Takes away all that a cluster has made this data root know: its tasks, and what is still to be told of them. */
export function forgetCluster(database: DatabaseSync): void {
  database.exec(`
    begin immediate;
    delete from assignment; delete from slot_epochs; delete from task_outcomes;
    delete from outbox; delete from sqlite_sequence where name = 'outbox';
    delete from meta where key in ('outbox-sent', 'lease_expires_at_ms');
    commit
  `);
}
