import { formatBytes } from '#shared/size.ts';
import { formatAge } from '../age.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';

const stateColours = { joined: 'yellow', ready: 'green', away: 'yellow', down: 'red' } as const;

export const hostLs = defineCommand({
  name: 'host ls',
  summary: 'List the hosts, what they are and what they hold',
  async handler({ options, session: { terminal, connect } }) {
    const { hosts } = await (await connect()).hosts();
    if (options.json) return terminal.json({ hosts });
    const now = Date.now();
    const rows = hosts.map((host) => [
      host.name,
      `${host.state} ${formatAge(host.changedAtMs, now)}`,
      String(host.tasks),
      `${host.facts.cpus} x ${host.facts.architecture}`,
      formatBytes(host.facts.memoryBytes),
      host.facts.os,
      host.facts.runnerVersion,
      host.id,
    ]);
    const table = formatTable(['name', 'state', 'tasks', 'cpu', 'memory', 'os', 'runner', 'id'], rows);
    const lines = table.split('\n');
    const painted = hosts.map((host, index) =>
      (lines[index + 1] ?? '').replace(` ${host.state} `, ` ${terminal.paint(stateColours[host.state], host.state)} `),
    );
    await terminal.write([lines[0], ...painted, ''].join('\n'));
    if (hosts.length === 0) await terminal.note('None yet. Next: berth host token');
  },
});
