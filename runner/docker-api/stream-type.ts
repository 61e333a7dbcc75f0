import { atLeast, type ApiRequest } from './api-request.ts';

const rawStream = 'application/vnd.docker.raw-stream';
const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

/** What the stream of a container's stdio is called, which newer clients are told. */
export function streamType(request: ApiRequest, terminal: boolean): string {
  return terminal || !atLeast(request, '1.42') ? rawStream : multiplexedStream;
}
