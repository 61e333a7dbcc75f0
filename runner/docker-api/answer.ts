import type { Readable } from 'node:stream';
import type { Output } from './output.ts';

/** A connection whose HTTP part is over: bytes both ways. */
export interface HijackedConnection {
  readonly output: Output;
  /** What the client sends; ends when it closes its side. */
  readonly input: Readable;
}

/** What a handler answers with. */
export type Answer =
  | { readonly kind: 'json'; readonly status?: number; readonly body: unknown }
  | {
      readonly kind: 'text';
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** 204 or 304, and 200 where dockerd says nothing either. */
  | {
      readonly kind: 'empty';
      readonly status: 200 | 204 | 304;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The head goes out at once, the body as it comes; its end is the answer's. */
  | {
      readonly kind: 'stream';
      readonly contentType: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly write: (output: Output) => Promise<void>;
    }
  /** The connection becomes a raw stream, by upgrade (101) where the client asked for one. */
  | {
      readonly kind: 'hijack';
      readonly contentType: string;
      readonly serve: (connection: HijackedConnection) => Promise<void>;
    };

export const noContent: Answer = { kind: 'empty', status: 204 };

export function json(body: unknown, status = 200): Answer {
  return { kind: 'json', status, body };
}
