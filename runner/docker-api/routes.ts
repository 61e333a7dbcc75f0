import { infoAnswer, versionAnswer, type HostView } from './translate.ts';

/** What a route answers with: an object becomes JSON, a text is sent as it is. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Readonly<Record<string, unknown>>;
}

/** Where the answers come from. */
export interface DockerApiContext {
  /** The host as it is now. */
  view(): HostView;
}

export interface Route {
  /** Longest request body that is read, in bytes. */
  readonly maxBodyBytes: number;
  answer(context: DockerApiContext): Answer;
}

type RouteKey = `${'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'} /${string}`;

const ping: Route = {
  maxBodyBytes: 0,
  answer: () => ({
    status: 200,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Control': 'no-cache, no-store, must-revalidate',
      Pragma: 'no-cache',
      'Builder-Version': '1', // the classic builder: there is no BuildKit here
      Swarm: 'inactive',
    },
    body: 'OK',
  }),
};

const version: Route = {
  maxBodyBytes: 0,
  answer: (context) => ({ status: 200, body: versionAnswer(context.view()) }),
};

const info: Route = {
  maxBodyBytes: 0,
  answer: (context) => ({ status: 200, body: infoAnswer(context.view()) }),
};

/** Every route of the API that is answered, by method and path without its version. */
export const routes: ReadonlyMap<string, Route> = new Map<RouteKey, Route>([
  ['GET /_ping', ping],
  ['HEAD /_ping', ping],
  ['GET /version', version],
  ['GET /info', info],
]);
