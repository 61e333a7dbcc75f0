import { formatAge } from '../age.ts';
import { defineCommand } from '../command.ts';
import { formatTable, printable } from '../table.ts';
import { familiarImage } from '../image-name.ts';

export const stackLs = defineCommand({
  name: 'stack ls',
  alias: 'ls',
  summary: 'List the stacks and their services',
  async handler({ options, session: { terminal, connect } }) {
    const client = await connect();
    const [{ stacks }, { services }] = await Promise.all([client.stacks(), client.services()]);
    if (options.json) return terminal.json({ stacks, services });
    const now = Date.now();
    const stackRows = stacks.map((stack) => [
      stack.name,
      String(stack.revision),
      `${stack.runningReplicas}/${stack.desiredReplicas}`,
      formatAge(stack.appliedAtMs, now),
      stack.appliedBy,
      stack.message,
    ]);
    await terminal.write(formatTable(['stack', 'revision', 'running', 'applied', 'by', 'message'], stackRows));
    if (stacks.length === 0) {
      await terminal.note('None yet. Next: berth apply -f compose.yaml');
      return;
    }
    const serviceRows = services.map(({ stack, spec, runningReplicas }) => [
      `${stack}/${spec.name}`,
      `${runningReplicas}/${spec.replicas}`,
      familiarImage(spec.container.image),
      spec.container.ports.map((port) => `${port.hostPort}->${port.containerPort}/${port.protocol}`).join(' '),
    ]);
    await terminal.write(`\n${formatTable(['service', 'running', 'image', 'ports'], serviceRows)}`);
    const [first] = stacks;
    await terminal.note(first === undefined ? '' : `Next: berth ps ${printable(first.name)}`);
  },
});
