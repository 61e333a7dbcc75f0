import { converge } from '../control-plane/core/converge.ts';
import type { ClusterState, HostRecord, ServiceRecord } from '../control-plane/core/cluster-state.ts';
import { Scheduler } from '../control-plane/core/schedule.ts';

// Placements per second: of the scheduler alone, and of a whole convergence that fills an empty cluster.

function hosts(count: number): HostRecord[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `host-${n}`,
    name: `host-${n}`,
    state: 'ready',
    changedAtMs: 0,
    removed: false,
    images: [{ id: 'sha256:0', references: ['docker.io/library/hello:1'] }],
  }));
}

function services(count: number, replicas: number): ServiceRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const ports = [{ protocol: 'tcp' as const, hostPort: 1024 + n, containerPort: 80 }];
    const container = { image: 'hello:1', environment: {}, labels: {}, ports, restart: { kind: 'always' as const } };
    return {
      id: `service-${n}`,
      stack: 'bench',
      spec: { name: `service-${n}`, replicas, container, onDisconnect: { kind: 'keep' as const } },
    };
  });
}

function rate(count: number, run: () => void): string {
  const startMs = performance.now();
  run();
  const seconds = (performance.now() - startMs) / 1000;
  return `${Math.round(count / seconds).toLocaleString('en')}/s`;
}

for (const hostCount of [10, 100, 1000]) {
  const state: ClusterState = {
    hosts: hosts(hostCount),
    services: services(1000, 10),
    tasks: [],
    slots: [],
    nowMs: 0,
  };
  const placed = rate(10_000, () => {
    const scheduler = new Scheduler(state.hosts, []);
    for (const { id, spec } of state.services) {
      for (let slot = 1; slot <= spec.replicas; slot += 1) {
        scheduler.place({ serviceId: id, container: spec.container });
      }
    }
  });
  const converged = rate(10_000, () => {
    if (converge(state).changes.length !== 10_000) throw new Error('not all slots were filled');
  });
  console.log(`${hostCount} hosts, 10,000 replicas of 1,000 services: scheduler ${placed}, convergence ${converged}`);
}
