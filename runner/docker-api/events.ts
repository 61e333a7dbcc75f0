import type { Answer } from './answer.ts';
import { option, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { queryTimeMs } from './translate/api-time.ts';
import { eventFilters, eventPasses } from './translate/event-filter.ts';
import type { EventMessage } from './translate/event-message.ts';

/** A reader that is so many events behind is cut off: it would miss some. */
const MAX_WAITING = 4096;

/** GET /events: those since a time that are remembered, then each as it happens, until a time or for ever. */
export function streamEvents(context: DockerApiContext, request: ApiRequest): Answer {
  const filters = eventFilters(option(request, 'filters'));
  const [since, until] = [option(request, 'since'), option(request, 'until')];
  // As with dockerd: since 1970, and until then: of what has been, everything.
  const sinceMs = since === '0' ? 0 : queryTimeMs('since', since);
  const untilMs = until === '0' ? context.clock() : queryTimeMs('until', until);
  return {
    kind: 'stream',
    contentType: 'application/json',
    async write(output) {
      const waiting: EventMessage[] = [];
      let wake = (): void => {};
      const tooSlow = Promise.withResolvers<never>();
      tooSlow.promise.catch(() => {}); // awaited with each write
      using _ = context.events.listen((event) => {
        if (waiting.length >= MAX_WAITING) return tooSlow.reject(new Error('the reader of the events is too slow'));
        waiting.push(event);
        wake();
      });
      if (sinceMs !== undefined) waiting.unshift(...context.events.past().filter(after(sinceMs)));
      const over = AbortSignal.any([output.signal, deadline(untilMs, context.clock())]);
      const aborted = (): void => wake();
      over.addEventListener('abort', aborted, { once: true });
      for (;;) {
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
          if (untilMs !== undefined && event.timeNano / 1e6 > untilMs) continue;
          if (eventPasses(event, filters)) await Promise.race([output.json(event), tooSlow.promise]);
        }
        if (over.aborted) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function after(ms: number): (event: EventMessage) => boolean {
  return (event) => event.timeNano / 1e6 >= ms;
}

function deadline(untilMs: number | undefined, now: number): AbortSignal {
  if (untilMs === undefined) return new AbortController().signal;
  // Whole milliseconds, which is all that it takes; a time may be given in fractions of these.
  return AbortSignal.timeout(Math.min(Math.max(0, Math.ceil(untilMs - now)), 2 ** 31 - 1));
}
