import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import { BerthError, type ErrorLocation } from '#shared/errors.ts';
import { findExcess } from './excess.ts';
import { unescapeDollars } from './interpolation.ts';
import { suggest } from './suggest.ts';

/** Findings that one answer names at most; a file with more has them found in the next round. */
const MAX_FINDINGS = 20;

/** Longest text of a finding, in characters: it may quote a key of any length. */
const MAX_MESSAGE = 400;

/**
 * Characters that are read of one file at most, also those that aliases and merges repeat, so that a small file cannot
 * make much work. It is some times the longest file that is accepted.
 */
const MAX_READ = 4_000_000;

/** What each key, item, alias and merge counts in characters beside its text. */
const NODE_COST = 16;

/** A place in the file: `path` is its keys, as in `services.web.ports[0]`. */
export interface Place {
  readonly node: Node | null;
  readonly path: string;
}

export interface Entry extends Place {
  readonly key: string;
  readonly keyNode: Node;
}

/** Thrown to leave the reading of a file with too many findings. */
class TooMany extends Error {}

/**
 * A Compose file's YAML with what is wrong in it. The readers (`text`, `list` …) answer undefined for a value of another
 * type, having noted the finding; a file without findings has been read whole.
 */
export class ComposeSource {
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #findings: ErrorLocation[] = [];
  readonly #file: string;
  readonly #targets: ReadonlyMap<Node, Node>;
  #read = 0;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#document = this.#parse(text);
    this.#targets = aliasTargets(this.#document);
    for (const { pos, message } of this.#document.errors.slice(0, MAX_FINDINGS)) {
      this.#note(pos[0], `not YAML: ${message}`);
    }
    this.throwFindings();
  }

  /** Keys that are there twice are found by `entries`: the parser's own look for them is quadratic. */
  #parse(text: string): Document.Parsed {
    const options = { lineCounter: this.#lines, prettyErrors: false, version: '1.2', merge: true } as const;
    const excess = findExcess(text);
    if (excess === undefined) return parseDocument(text, { ...options, uniqueKeys: false });
    const { offset, message } = excess;
    this.#lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
      this.#lines.addNewLine(at + 1);
    }
    this.#note(offset, message);
    throw this.#error(this.#findings);
  }

  get root(): Place {
    return { node: this.#document.contents, path: '' };
  }

  #note(offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#findings.push({ path: this.#file, line, column: Math.max(1, col), message: message.slice(0, MAX_MESSAGE) });
  }

  /** Notes what is wrong at a place. */
  fail(place: Place, message: string, at: Node | null = place.node): undefined {
    this.#note(at?.range?.[0] ?? 0, place.path === '' ? message : `${place.path}: ${message}`);
    if (this.#findings.length >= MAX_FINDINGS) throw new TooMany();
    return undefined;
  }

  /** Runs a reading to its end, or to the last finding that is told. */
  read<Result>(reading: () => Result): Result {
    try {
      const result = reading();
      this.throwFindings();
      return result;
    } catch (error) {
      if (error instanceof TooMany) this.throwFindings();
      throw error;
    }
  }

  /** @throws BerthError `compose.invalid` with every finding, when there is one */
  throwFindings(): void {
    if (this.#findings.length > 0) throw this.#error(this.#findings);
  }

  #error(findings: readonly ErrorLocation[]): BerthError {
    const locations = findings.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    const [first] = locations;
    const more = locations.length > 1 ? ` (and ${locations.length - 1} more)` : '';
    const where = first?.line === undefined ? '' : `:${first.line}:${first.column ?? 1}`;
    return new BerthError('invalid', 'compose.invalid', `${this.#file}${where}: ${first?.message ?? ''}${more}`, {
      locations,
      remedy: 'Correct the file; docs/compose.md lists what is supported.',
    });
  }

  /** The place with its alias followed. */
  #follow(place: Place): Place {
    let { node } = place;
    while (isAlias(node)) {
      this.#spend(place, 0);
      const target: Node | undefined = this.#targets.get(node);
      if (target === undefined) {
        this.fail(place, `the alias *${node.source} has no anchor`);
        throw new TooMany();
      }
      node = target;
    }
    return { node, path: place.path };
  }

  #spend(place: Place, characters: number): void {
    this.#read += NODE_COST + characters;
    if (this.#read <= MAX_READ) return;
    this.fail(place, 'the file grows too much by its aliases and merges');
    throw new TooMany();
  }

  #wrongType(place: Place, expected: string): undefined {
    const { node } = this.#follow(place);
    const found = isMap(node)
      ? 'a mapping'
      : isSeq(node)
        ? 'a list'
        : isScalar(node)
          ? scalarText(node.value)
          : 'nothing';
    return this.fail(place, `expected ${expected}, found ${found}`);
  }

  isMap(place: Place): boolean {
    return isMap(this.#follow(place).node);
  }

  isList(place: Place): boolean {
    return isSeq(this.#follow(place).node);
  }

  isNull(place: Place): boolean {
    const { node } = this.#follow(place);
    return node === null || (isScalar(node) && node.value === null);
  }

  /** The members of a mapping, merge keys (`<<`) followed, in order. */
  entries(place: Place, expected: string): Entry[] | undefined {
    const { node } = this.#follow(place);
    if (!isMap(node)) return this.#wrongType(place, expected);
    const found = new Map<string, Entry>();
    const merged: Entry[] = [];
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      this.#spend(place, 0);
      const key = isScalar(pair.key) && typeof pair.key.value !== 'symbol' ? String(pair.key.value) : undefined;
      if (isScalar(pair.key) && typeof pair.key.value === 'symbol') merged.push(...this.#merge(place, pair.value));
      else if (key === undefined) this.fail(place, 'a key must be a text', pair.key);
      else if (key === '<<') merged.push(...this.#merge(place, pair.value));
      else if (found.has(key)) this.fail({ node: pair.key, path: join(place.path, key) }, 'this key is there twice');
      else found.set(key, { key, keyNode: pair.key, node: pair.value, path: join(place.path, key) });
    }
    for (const entry of merged) if (!found.has(entry.key)) found.set(entry.key, entry);
    return [...found.values()];
  }

  #merge(place: Place, node: Node | null): Entry[] {
    this.#spend(place, 0); // a mapping that merges itself must come to an end
    const source = this.#follow({ node, path: place.path }).node;
    const sources = isSeq(source) ? (source.items as Node[]) : [source];
    return sources.flatMap((one) => this.entries({ node: one, path: place.path }, 'a mapping to merge') ?? []);
  }

  /** The members of a mapping by key; each other one is a finding that names what is supported. */
  members(place: Place, supported: readonly string[], allow = (_key: string): boolean => false) {
    const entries = this.entries(place, `a mapping of ${supported.join(', ')}`);
    if (entries === undefined) return undefined;
    for (const entry of entries) {
      if (supported.includes(entry.key) || allow(entry.key)) continue;
      const meant = suggest(entry.key, supported);
      const hint = meant === undefined ? `supported here: ${supported.join(', ')}` : `did you mean ${meant}?`;
      this.fail(entry, `this key is not supported; ${hint}`, entry.keyNode);
    }
    return new Map(entries.map((entry) => [entry.key, entry]));
  }

  list(place: Place, expected: string): Place[] | undefined {
    const { node } = this.#follow(place);
    if (!isSeq(node)) return this.#wrongType(place, expected);
    return (node.items as Node[]).map((item, index) => {
      this.#spend(place, 0);
      return { node: item, path: `${place.path}[${index}]` };
    });
  }

  /** A text, with `$$` made `$`; a number is none. */
  text(place: Place, expected = 'a text'): string | undefined {
    const { node } = this.#follow(place);
    if (!isScalar(node) || typeof node.value !== 'string') return this.#wrongType(place, expected);
    return this.#clean(place, node.value);
  }

  /** A text, number or boolean as the text that was written. */
  scalar(place: Place, expected = 'a text, number or boolean'): string | undefined {
    const { node } = this.#follow(place);
    if (
      !isScalar(node) ||
      node.value === null ||
      !['string', 'number', 'boolean', 'bigint'].includes(typeof node.value)
    ) {
      return this.#wrongType(place, expected);
    }
    return typeof node.value === 'string' ? this.#clean(place, node.value) : (node.source ?? scalarText(node.value));
  }

  #clean(place: Place, value: string): string | undefined {
    this.#spend(place, value.length);
    if (value.includes('\0')) return this.fail(place, 'a text must not hold a NUL character');
    const unescaped = unescapeDollars(value);
    if (unescaped.kind === 'plain') return unescaped.text;
    return this.fail(place, `${unescaped.found}: variables are not supported; write $$ for a literal $`);
  }

  integer(place: Place, min: number, max: number): number | undefined {
    const { node } = this.#follow(place);
    const value = isScalar(node) ? node.value : undefined;
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
      return this.#wrongType(place, `a whole number from ${min} to ${max}`);
    }
    return number;
  }

  boolean(place: Place): boolean | undefined {
    const { node } = this.#follow(place);
    if (!isScalar(node) || typeof node.value !== 'boolean') return this.#wrongType(place, 'true or false');
    return node.value;
  }
}

/** What each alias stands for: the node that had its anchor last. All in one pass, where the parser's own is one each. */
function aliasTargets(document: Document.Parsed): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    Node(_key, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

function scalarText(value: unknown): string {
  return value === null ? 'nothing' : JSON.stringify(typeof value === 'bigint' ? Number(value) : value).slice(0, 80);
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
