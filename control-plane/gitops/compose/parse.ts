import { objectName } from '#shared/model/names.ts';
import type { StackConfig } from '#shared/model/service.ts';
import { readService } from './service.ts';
import { ComposeSource, type Entry } from './source.ts';

/** Services that one stack has at most. */
const MAX_SERVICES = 2000;

const TOP_KEYS = ['name', 'services', 'version'] as const;

export interface ComposeOptions {
  /** The name that findings carry. */
  readonly file?: string;
  /** The stack's name wins over another `name` in the file, which is an error otherwise. */
  readonly overrideName?: boolean | undefined;
}

/**
 * The configuration that a Compose file describes (the subset of docs/compose.md); the services come in order of their
 * names, so that equal configurations have equal digests.
 *
 * @throws BerthError `compose.invalid` with the line and column of everything that is wrong, up to 20 findings
 */
export function parseCompose(text: string, stack: string, options: ComposeOptions = {}): StackConfig {
  const source = new ComposeSource(text, options.file ?? 'compose.yaml');
  return source.read(() => {
    const members = source.members(source.root, TOP_KEYS, (key) => key.startsWith('x-'));
    if (members === undefined) return { name: stack, services: [] };
    checkName(source, members.get('name'), options.overrideName === true ? undefined : stack);
    const at = members.get('services');
    const entries = at === undefined ? [] : source.entries(at, 'a mapping of services');
    if (entries?.length === 0) source.fail(at ?? source.root, 'at least one service is needed, under services');
    if ((entries?.length ?? 0) > MAX_SERVICES) source.fail(source.root, `at most ${MAX_SERVICES} services are allowed`);
    const services = (entries ?? []).flatMap((entry) => {
      const service = readService(source, entry);
      return service === undefined ? [] : [{ entry, service }];
    });
    checkPorts(source, services);
    return {
      name: stack,
      services: services.map((one) => one.service).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    };
  });
}

function checkName(source: ComposeSource, at: Entry | undefined, stack: string | undefined): void {
  if (at === undefined) return;
  const name = source.text(at);
  if (name === undefined) return;
  const parsed = objectName.safeParse(name);
  if (!parsed.success) source.fail(at, parsed.error.issues[0]?.message ?? 'not a name');
  else if (stack !== undefined && name !== stack)
    source.fail(at, `the file is named ${name}, but is applied as stack ${stack}`);
}

type Services = readonly { readonly entry: Entry; readonly service: StackConfig['services'][number] }[];

function checkPorts(source: ComposeSource, services: Services): void {
  const holders = new Map<string, string>();
  for (const { entry, service } of services) {
    for (const { hostPort, protocol } of service.container.ports) {
      const port = `${hostPort}/${protocol}`;
      const holder = holders.get(port) ?? service.name;
      holders.set(port, holder);
      if (holder !== service.name) {
        source.fail(entry, `host port ${port} is published by service ${holder} already`, entry.keyNode);
      }
    }
  }
}
