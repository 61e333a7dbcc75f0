import LibsqlDatabase from 'libsql';
import { BerthError } from '#shared/errors.ts';
import type {
  HranaBatch,
  HranaCondition,
  HranaError,
  HranaRequest,
  HranaStatement,
  HranaStatementResult,
  HranaValue,
} from './hrana-message.ts';

type SqlValue = null | bigint | number | string | Uint8Array;

/** Statements' texts that a stream has stored, by its own numbers. */
export type StoredSql = Map<number, string>;

/** Hrana's requests, performed on the native libSQL engine with one connection. For development and tests. */
export class HranaEngine implements Disposable {
  readonly #db: LibsqlDatabase.Database;

  constructor(path: string) {
    this.#db = new LibsqlDatabase(path);
    this.#db.exec('PRAGMA journal_mode = WAL');
    this.#db.exec('PRAGMA synchronous = FULL');
  }

  get isAutocommit(): boolean {
    return !this.#db.inTransaction;
  }

  /** Gives up the transaction that is open, if one is. */
  rollback(): void {
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
  }

  /** The response to one request; throws what the engine throws. */
  answer(request: HranaRequest, stored: StoredSql): object {
    const { type } = request;
    switch (type) {
      case 'execute':
        return { type, result: this.#execute(request.stmt, stored) };
      case 'batch':
        return { type, result: this.#batch(request.batch, stored) };
      case 'sequence':
        this.#db.exec(sqlOf(request, stored));
        return { type };
      case 'describe':
        return { type, result: this.#describe(sqlOf(request, stored)) };
      case 'store_sql':
        stored.set(request.sql_id, request.sql);
        return { type };
      case 'close_sql':
        stored.delete(request.sql_id);
        return { type };
      case 'get_autocommit':
        return { type, is_autocommit: this.isAutocommit };
      case 'close':
        return { type };
      default:
        return request satisfies never;
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #execute(statement: HranaStatement, stored: StoredSql): HranaStatementResult {
    const prepared = this.#db.prepare(sqlOf(statement, stored)).safeIntegers(true);
    const args = argumentsOf(statement);
    if (!prepared.reader) {
      const { changes, lastInsertRowid } = prepared.run(args);
      return { cols: [], rows: [], affected_row_count: changes, last_insert_rowid: String(lastInsertRowid) };
    }
    const cols = prepared.columns().map(({ name, type }) => ({ name, decltype: type }));
    const changesBefore = this.#totalChanges();
    const rows = prepared.raw(true).all(args) as SqlValue[][];
    return {
      cols,
      rows: statement.want_rows ? rows.map((row) => row.map(toHrana)) : [],
      affected_row_count: this.#totalChanges() - changesBefore,
      last_insert_rowid: null,
    };
  }

  #totalChanges(): number {
    return this.#db.prepare('SELECT total_changes()').raw(true).pluck(true).get() as number;
  }

  #batch(batch: HranaBatch, stored: StoredSql): object {
    const results: (HranaStatementResult | null)[] = [];
    const errors: (HranaError | null)[] = [];
    for (const { condition, stmt } of batch.steps) {
      let result: HranaStatementResult | null = null;
      let failure: HranaError | null = null;
      if (condition === undefined || condition === null || this.#holds(condition, results, errors)) {
        try {
          result = this.#execute(stmt, stored);
        } catch (error) {
          failure = toHranaError(error);
        }
      }
      results.push(result);
      errors.push(failure);
    }
    return { step_results: results, step_errors: errors };
  }

  #holds(condition: HranaCondition, results: readonly unknown[], errors: readonly unknown[]): boolean {
    switch (condition.type) {
      case 'ok':
        return (results[condition.step] ?? null) !== null;
      case 'error':
        return (errors[condition.step] ?? null) !== null;
      case 'not':
        return !this.#holds(condition.cond, results, errors);
      case 'and':
        return condition.conds.every((each) => this.#holds(each, results, errors));
      case 'or':
        return condition.conds.some((each) => this.#holds(each, results, errors));
      case 'is_autocommit':
        return this.isAutocommit;
      default:
        return condition satisfies never;
    }
  }

  #describe(sql: string): object {
    const prepared = this.#db.prepare(sql);
    const cols = prepared.reader ? prepared.columns().map(({ name, type }) => ({ name, decltype: type })) : [];
    // The engine's binding tells no parameter names; libSQL's clients do not ask for them.
    return { params: [], cols, is_explain: /^\s*explain/i.test(sql), is_readonly: /^\s*(select|explain)/i.test(sql) };
  }
}

/** An engine's error as Hrana tells it, with SQLite's own code where it has one. */
export function toHranaError(error: unknown): HranaError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'SQL_ERROR';
  return { message: error instanceof Error ? error.message : String(error), code };
}

function sqlOf(
  source: { readonly sql?: string | undefined; readonly sql_id?: number | undefined },
  stored: StoredSql,
): string {
  const sql = source.sql ?? (source.sql_id === undefined ? undefined : stored.get(source.sql_id));
  if (sql !== undefined) return sql;
  throw new BerthError('invalid', 'hrana.no-sql', `hrana: no SQL is stored under ${source.sql_id ?? 'no number'}`);
}

function argumentsOf(statement: HranaStatement): SqlValue[] | Record<string, SqlValue> {
  if (statement.named_args.length === 0) return statement.args.map(fromHrana);
  return Object.fromEntries(
    statement.named_args.map(({ name, value }) => [name.replace(/^[:@$]/, ''), fromHrana(value)] as const),
  );
}

function fromHrana(value: HranaValue): SqlValue {
  switch (value.type) {
    case 'null':
      return null;
    case 'integer':
      return BigInt(value.value);
    case 'float':
    case 'text':
      return value.value;
    case 'blob':
      return Buffer.from(value.base64, 'base64');
    default:
      return value satisfies never;
  }
}

function toHrana(value: SqlValue): HranaValue {
  if (value === null) return { type: 'null' };
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) };
  if (typeof value === 'number') return { type: 'float', value };
  if (typeof value === 'string') return { type: 'text', value };
  return { type: 'blob', base64: Buffer.from(value).toString('base64').replace(/=+$/, '') };
}
