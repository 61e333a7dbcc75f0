import { z } from 'zod';

// The messages of Hrana over HTTP in JSON, versions 2 and 3 (tursodatabase/libsql, docs/HRANA_3_SPEC.md).

const hranaValue = z.discriminatedUnion('type', [
  z.object({ type: z.literal('null') }),
  z.object({ type: z.literal('integer'), value: z.string() }),
  z.object({ type: z.literal('float'), value: z.number() }),
  z.object({ type: z.literal('text'), value: z.string() }),
  z.object({ type: z.literal('blob'), base64: z.string() }),
]);
export type HranaValue = z.infer<typeof hranaValue>;

/** A statement's text, or the number under which this stream stored it. */
const sqlSource = { sql: z.string().optional(), sql_id: z.int().optional() };

const statement = z.object({
  ...sqlSource,
  args: z.array(hranaValue).default([]),
  named_args: z.array(z.object({ name: z.string(), value: hranaValue })).default([]),
  want_rows: z.boolean().default(true),
});
export type HranaStatement = z.infer<typeof statement>;

/** When a step of a batch is run. */
export type HranaCondition =
  | { readonly type: 'ok' | 'error'; readonly step: number }
  | { readonly type: 'not'; readonly cond: HranaCondition }
  | { readonly type: 'and' | 'or'; readonly conds: readonly HranaCondition[] }
  | { readonly type: 'is_autocommit' };

const condition: z.ZodType<HranaCondition> = z.lazy(() =>
  z.union([
    z.object({ type: z.enum(['ok', 'error']), step: z.int() }),
    z.object({ type: z.literal('not'), cond: condition }),
    z.object({ type: z.enum(['and', 'or']), conds: z.array(condition) }),
    z.object({ type: z.literal('is_autocommit') }),
  ]),
);

const batch = z.object({ steps: z.array(z.object({ condition: condition.nullish(), stmt: statement })) });
export type HranaBatch = z.infer<typeof batch>;

const hranaRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('execute'), stmt: statement }),
  z.object({ type: z.literal('batch'), batch }),
  z.object({ type: z.literal('sequence'), ...sqlSource }),
  z.object({ type: z.literal('describe'), ...sqlSource }),
  z.object({ type: z.literal('store_sql'), sql_id: z.int(), sql: z.string() }),
  z.object({ type: z.literal('close_sql'), sql_id: z.int() }),
  z.object({ type: z.literal('get_autocommit') }),
  z.object({ type: z.literal('close') }),
]);
export type HranaRequest = z.infer<typeof hranaRequest>;

export const hranaPipeline = z.object({ baton: z.string().nullish(), requests: z.array(hranaRequest).max(10_000) });
export type HranaPipeline = z.infer<typeof hranaPipeline>;

export interface HranaStatementResult {
  readonly cols: readonly { readonly name: string; readonly decltype: string | null }[];
  readonly rows: readonly (readonly HranaValue[])[];
  readonly affected_row_count: number;
  readonly last_insert_rowid: string | null;
}

export interface HranaError {
  readonly message: string;
  readonly code: string;
}
