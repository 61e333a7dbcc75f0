import type { ApplyResponse } from '#shared/api/stacks.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import type { ServiceSpec, StackConfig } from '#shared/model/service.ts';
import type { ServiceRecord } from '../core/cluster-state.ts';

/** How a stack's services become those of a configuration. */
export interface ServiceDiff {
  readonly created: readonly ServiceSpec[];
  /** With their new specs. */
  readonly updated: readonly ServiceRecord[];
  readonly removed: readonly ServiceRecord[];
  /** One for each service, the removed ones too, by name. */
  readonly changes: ApplyResponse['services'];
}

/** Compares stored services with a configuration. Pure. */
export function diffServices(stored: readonly ServiceRecord[], config: StackConfig): ServiceDiff {
  const before = new Map(stored.map((service) => [service.spec.name, service]));
  const wanted = new Set(config.services.map((spec) => spec.name));
  const removed = stored.filter((service) => !wanted.has(service.spec.name));
  const created = config.services.filter((spec) => !before.has(spec.name));
  const updated: ServiceRecord[] = [];
  const changes: ApplyResponse['services'] = [
    ...removed.map((service) => ({ service: service.spec.name, change: 'removed' as const })),
    ...created.map((spec) => ({ service: spec.name, change: 'created' as const })),
  ];
  for (const spec of config.services) {
    const service = before.get(spec.name);
    if (service === undefined) continue;
    const change = compare(service.spec, spec);
    if (change !== 'unchanged') updated.push({ ...service, spec });
    changes.push({ service: spec.name, change });
  }
  return { created, updated, removed, changes: changes.toSorted((a, b) => (a.service < b.service ? -1 : 1)) };
}

function compare(before: ServiceSpec, after: ServiceSpec): 'unchanged' | 'scaled' | 'updated' {
  if (canonicalJson(before) === canonicalJson(after)) return 'unchanged';
  return canonicalJson({ ...before, replicas: after.replicas }) === canonicalJson(after) ? 'scaled' : 'updated';
}
