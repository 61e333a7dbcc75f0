-- The desired state, what the hosts observed of it, and the events. Times are Unix milliseconds. Columns that hold JSON
-- say so in store/schema.ts.

-- One row. Every write raises `version` in its own batch and fails unless it is the one that it has read: all writes are
-- compare-and-set on the whole cluster (store/commit.ts).
CREATE TABLE cluster (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  version INTEGER NOT NULL,
  bootstrapped_at_ms INTEGER
);
--> statement-breakpoint
INSERT INTO cluster (id, version) VALUES (1, 0);
--> statement-breakpoint
CREATE TABLE tokens (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER
);
--> statement-breakpoint
CREATE UNIQUE INDEX tokens_name ON tokens (name);
--> statement-breakpoint
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
--> statement-breakpoint
CREATE TABLE join_tokens (
  id TEXT PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  used_at_ms INTEGER
);
--> statement-breakpoint
CREATE UNIQUE INDEX join_tokens_hash ON join_tokens (hash);
--> statement-breakpoint
-- A removed host keeps its row, so that its key is refused as revoked; its name is free again.
CREATE TABLE hosts (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  public_key TEXT NOT NULL,
  state TEXT NOT NULL,
  facts TEXT NOT NULL,
  images TEXT NOT NULL,
  joined_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  digest TEXT NOT NULL,
  applied_generation INTEGER NOT NULL,
  acked_seq INTEGER NOT NULL,
  removed_at_ms INTEGER
);
--> statement-breakpoint
CREATE UNIQUE INDEX hosts_name ON hosts (name) WHERE removed_at_ms IS NULL;
--> statement-breakpoint
-- A removed stack keeps its row and revisions: a revision number is never used twice.
CREATE TABLE stacks (
  name TEXT PRIMARY KEY NOT NULL,
  revision INTEGER NOT NULL,
  removed_at_ms INTEGER
);
--> statement-breakpoint
CREATE TABLE revisions (
  stack TEXT NOT NULL,
  number INTEGER NOT NULL,
  digest TEXT NOT NULL,
  config TEXT NOT NULL,
  message TEXT NOT NULL,
  applied_at_ms INTEGER NOT NULL,
  applied_by TEXT NOT NULL,
  PRIMARY KEY (stack, number)
);
--> statement-breakpoint
CREATE TABLE services (
  id TEXT PRIMARY KEY NOT NULL,
  stack TEXT NOT NULL,
  name TEXT NOT NULL,
  spec TEXT NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX services_name ON services (stack, name);
--> statement-breakpoint
CREATE TABLE slots (
  service_id TEXT NOT NULL,
  slot INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  pending_reason TEXT,
  PRIMARY KEY (service_id, slot)
);
--> statement-breakpoint
CREATE TABLE tasks (
  id TEXT PRIMARY KEY NOT NULL,
  stack TEXT NOT NULL,
  service TEXT NOT NULL,
  service_id TEXT NOT NULL,
  slot INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  host_id TEXT NOT NULL,
  container TEXT NOT NULL,
  on_disconnect TEXT NOT NULL,
  desired INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  retired_generation INTEGER,
  created_at_ms INTEGER NOT NULL,
  running_at_ms INTEGER,
  ended_at_ms INTEGER,
  state TEXT NOT NULL,
  health TEXT NOT NULL,
  container_id TEXT,
  address TEXT,
  exit_code INTEGER,
  oom_killed INTEGER,
  restarts INTEGER NOT NULL,
  message TEXT NOT NULL,
  observed_at_ms INTEGER
);
--> statement-breakpoint
CREATE INDEX tasks_host ON tasks (host_id, desired);
--> statement-breakpoint
CREATE INDEX tasks_slot ON tasks (service_id, slot, epoch);
--> statement-breakpoint
CREATE INDEX tasks_live ON tasks (desired, ended);
--> statement-breakpoint
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  stack TEXT,
  subject TEXT NOT NULL,
  message TEXT NOT NULL,
  cause TEXT NOT NULL
);
--> statement-breakpoint
CREATE INDEX events_stack ON events (stack, id);
