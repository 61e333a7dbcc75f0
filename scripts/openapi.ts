import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createApp, openApiInfo } from '../control-plane/app.ts';
import { openRemote } from '../control-plane/store/remote.ts';

/** The part of a JSON schema that the page shows. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }
    >
  >;
}

/** The OpenAPI document of the app, which needs no database to tell it. */
function openApiDocument(): { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> } {
  const unused = () => Promise.reject(new Error('not used'));
  const app = createApp({
    database: openRemote({ url: 'http://localhost:1' }),
    hub: { poke: unused, revoke: unused, openRelay: unused, waitForEvents: unused },
    clock: () => 0,
    bootstrapSecret: undefined,
  });
  return app.getOpenAPI31Document(openApiInfo) as unknown as ReturnType<typeof openApiDocument>;
}

/** A schema in one line: `{ name: string, tags?: string[] }`. */
function shape(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return choices.map(shape).join(' | ');
  if (schema.items !== undefined) {
    const item = shape(schema.items);
    return item.includes(' | ') && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
  }
  if (schema.properties !== undefined) {
    const required = new Set(schema.required);
    const members = Object.entries(schema.properties).map(
      ([name, member]) => `${name}${required.has(name) ? '' : '?'}: ${shape(member)}`,
    );
    return `{ ${members.join(', ')} }`;
  }
  if (typeof schema.additionalProperties === 'object') return `{ [name]: ${shape(schema.additionalProperties)} }`;
  return typeof schema.type === 'string' ? schema.type : (schema.type?.join(' | ') ?? 'any');
}

function bodyLines(
  title: string,
  content: Readonly<Record<string, { readonly schema: Schema }>> | undefined,
): string[] {
  const schema = content?.['application/json']?.schema;
  return schema === undefined ? [] : [`${title}:`, '', '```', shape(schema), '```', ''];
}

function operationLines(method: string, path: string, operation: Operation): string[] {
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
  const names = query.map((parameter) => `\`${parameter.name}\` (${shape(parameter.schema)})`);
  const answers = Object.entries(operation.responses).flatMap(([status, response]) =>
    bodyLines(`Answer ${status}: ${response.description}`, response.content),
  );
  const failures = Object.keys(operation.responses).filter((status) => Number(status) >= 400);
  return [
    `## ${method.toUpperCase()} ${path}`,
    '',
    operation.summary ?? '',
    '',
    ...(names.length === 0 ? [] : [`Query: ${names.join(', ')}.`, '']),
    ...bodyLines('Body', operation.requestBody?.content),
    ...answers,
    `Problems: ${failures.join(', ')}.`,
    '',
  ];
}

const INTRODUCTION = `# HTTP API

Written by \`node scripts/openapi.ts\` from the schemas of the control plane, which answers \`GET /openapi.json\` with the
same in full. Requests carry \`Authorization: Bearer TOKEN\`; bodies are JSON. Times are Unix milliseconds, sizes bytes.
An error is answered as problem details (RFC 9457, \`application/problem+json\`) with a stable \`code\`, a \`detail\` for
people, and where they apply a \`remedy\` and the \`locations\` that are wrong.
`;

/** The text of docs/api.md. */
export function apiPage(): string {
  const { paths } = openApiDocument();
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => operationLines(method, path, operation)),
  );
  return `${INTRODUCTION}\n${operations.join('\n').trimEnd()}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('../docs/api.md', import.meta.url), apiPage());
}
