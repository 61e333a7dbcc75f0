import { BerthError } from '#shared/errors.ts';
import type { Answer } from './answer.ts';
import { parameter, type ApiRequest } from './api-request.ts';
import { readArchive, statArchive, writeArchive } from './container-archive.ts';
import { attachContainer, attachWebSocket } from './container-attach.ts';
import { containerChanges } from './container-changes.ts';
import { createContainer } from './container-create.ts';
import { commitContainer } from './container-commit.ts';
import { exportContainer } from './container-export.ts';
import {
  killContainer,
  removeContainer,
  renameContainer,
  resizeContainer,
  restartContainer,
  startContainer,
  stopContainer,
} from './container-lifecycle.ts';
import { inspectContainer, listContainers } from './container-list.ts';
import { containerLogs } from './container-logs.ts';
import { pauseContainer, unpauseContainer } from './container-pause.ts';
import { containerStats } from './container-stats.ts';
import { topContainer } from './container-top.ts';
import { updateContainer } from './container-update.ts';
import { waitContainer } from './container-wait.ts';
import type { DockerApiContext } from './context.ts';
import { notInThisVersion } from './docker-errors.ts';
import { streamEvents } from './events.ts';
import { createExec, inspectExec, resizeExec, startExec } from './exec.ts';
import { createImage } from './image-import.ts';
import { loadImages } from './image-load.ts';
import { saveImage, saveImages } from './image-save.ts';
import { historyOfImage, inspectImage, listImages, pruneImages, removeImage, tagImage } from './images.ts';
import { connectNetwork, disconnectNetwork } from './network-connect.ts';
import { createNetwork, inspectNetwork, listNetworks, pruneNetworks, removeNetwork } from './networks.ts';
import type { Operation } from './operations.ts';
import { routeFinder } from './route-match.ts';
import { createVolume, inspectVolume, listVolumes, pruneVolumes, removeVolume } from './volumes.ts';
import { authenticate, diskUsage, info, ping, pruneBuildCache, pruneStopped, version } from './system.ts';

type Handler = (context: DockerApiContext, request: ApiRequest) => Answer | Promise<Answer>;

/** The handlers of what this version does not have, and what that is. */
const missing = new Map<Handler, string>();

function notYet(what: string): Handler {
  const handler: Handler = () => {
    throw notInThisVersion(what);
  };
  missing.set(handler, what);
  return handler;
}

/** What a node answers that is in no swarm. */
const noSwarm: Handler = () => {
  const text =
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
  throw new BerthError('unavailable', 'docker.no-swarm', text);
};

const plugins = notYet('Managing plugins');
const noPlugin: Handler = (_context, request) => {
  const text = `plugin "${parameter(request, 'name').slice(0, 80)}" not found`;
  throw new BerthError('not-found', 'docker.no-plugin', text);
};
const buildkit = notYet('BuildKit');

/** Every operation of the API: one without a handler does not compile. */
const handlers: Readonly<Record<Operation, Handler>> = {
  'GET /_ping': ping,
  'HEAD /_ping': ping,
  'GET /version': version,
  'GET /info': info,
  'GET /events': streamEvents,
  'GET /system/df': diskUsage,
  'POST /auth': authenticate,

  'GET /containers/json': listContainers,
  'POST /containers/create': createContainer,
  'POST /containers/prune': pruneStopped,
  'GET /containers/{id}/json': inspectContainer,
  'GET /containers/{id}/top': topContainer,
  'GET /containers/{id}/logs': containerLogs,
  'GET /containers/{id}/changes': containerChanges,
  'GET /containers/{id}/export': exportContainer,
  'GET /containers/{id}/stats': containerStats,
  'POST /containers/{id}/resize': resizeContainer,
  'POST /containers/{id}/start': startContainer,
  'POST /containers/{id}/stop': stopContainer,
  'POST /containers/{id}/restart': restartContainer,
  'POST /containers/{id}/kill': killContainer,
  'POST /containers/{id}/update': updateContainer,
  'POST /containers/{id}/rename': renameContainer,
  'POST /containers/{id}/pause': pauseContainer,
  'POST /containers/{id}/unpause': unpauseContainer,
  'POST /containers/{id}/attach': attachContainer,
  'GET /containers/{id}/attach/ws': attachWebSocket,
  'POST /containers/{id}/wait': waitContainer,
  'DELETE /containers/{id}': removeContainer,
  'HEAD /containers/{id}/archive': statArchive,
  'GET /containers/{id}/archive': readArchive,
  'PUT /containers/{id}/archive': writeArchive,
  'POST /containers/{id}/exec': createExec,
  'POST /exec/{id}/start': startExec,
  'POST /exec/{id}/resize': resizeExec,
  'GET /exec/{id}/json': inspectExec,

  'GET /images/json': listImages,
  'POST /images/create': createImage,
  'POST /images/load': loadImages,
  'POST /images/prune': pruneImages,
  'GET /images/search': notYet('Searching for images'),
  'GET /images/get': saveImages,
  'GET /images/{name:path}/get': saveImage,
  'GET /images/{name:path}/json': inspectImage,
  'GET /images/{name:path}/history': historyOfImage,
  'POST /images/{name:path}/push': notYet('Pushing images'),
  'POST /images/{name:path}/tag': tagImage,
  'DELETE /images/{name:path}': removeImage,
  'GET /distribution/{name:path}/json': notYet('Asking a registry'),
  'POST /commit': commitContainer,
  'POST /build': notYet('Building images'),
  'POST /build/prune': pruneBuildCache,
  'POST /session': buildkit,
  'POST /grpc': buildkit,

  'GET /networks': listNetworks,
  'GET /networks/{id}': inspectNetwork,
  'DELETE /networks/{id}': removeNetwork,
  'POST /networks/create': createNetwork,
  'POST /networks/{id}/connect': connectNetwork,
  'POST /networks/{id}/disconnect': disconnectNetwork,
  'POST /networks/prune': pruneNetworks,
  'GET /volumes': listVolumes,
  'POST /volumes/create': createVolume,
  'GET /volumes/{name}': inspectVolume,
  'PUT /volumes/{name}': noSwarm,
  'DELETE /volumes/{name}': removeVolume,
  'POST /volumes/prune': pruneVolumes,

  'GET /plugins': () => ({ kind: 'json', body: [] }),
  'GET /plugins/privileges': plugins,
  'POST /plugins/pull': plugins,
  'POST /plugins/create': plugins,
  'GET /plugins/{name:path}/json': noPlugin,
  'DELETE /plugins/{name:path}': plugins,
  'POST /plugins/{name:path}/enable': plugins,
  'POST /plugins/{name:path}/disable': plugins,
  'POST /plugins/{name:path}/upgrade': plugins,
  'POST /plugins/{name:path}/push': plugins,
  'POST /plugins/{name:path}/set': plugins,

  'GET /swarm': noSwarm,
  'POST /swarm/init': notYet('Swarm'),
  'POST /swarm/join': notYet('Swarm'),
  'POST /swarm/leave': () => {
    throw new BerthError('unavailable', 'docker.no-swarm', 'This node is not part of a swarm');
  },
  'POST /swarm/update': noSwarm,
  'GET /swarm/unlockkey': noSwarm,
  'POST /swarm/unlock': noSwarm,
  'GET /nodes': noSwarm,
  'GET /nodes/{id}': noSwarm,
  'DELETE /nodes/{id}': noSwarm,
  'POST /nodes/{id}/update': noSwarm,
  'GET /services': noSwarm,
  'POST /services/create': noSwarm,
  'GET /services/{id}': noSwarm,
  'DELETE /services/{id}': noSwarm,
  'POST /services/{id}/update': noSwarm,
  'GET /services/{id}/logs': noSwarm,
  'GET /tasks': noSwarm,
  'GET /tasks/{id}': noSwarm,
  'GET /tasks/{id}/logs': noSwarm,
  'GET /secrets': noSwarm,
  'POST /secrets/create': noSwarm,
  'GET /secrets/{id}': noSwarm,
  'DELETE /secrets/{id}': noSwarm,
  'POST /secrets/{id}/update': noSwarm,
  'GET /configs': noSwarm,
  'POST /configs/create': noSwarm,
  'GET /configs/{id}': noSwarm,
  'DELETE /configs/{id}': noSwarm,
  'POST /configs/{id}/update': noSwarm,
};

/** The handler of `METHOD /path`, without a version, and what stands for the path's names. */
export const findRoute = routeFinder(handlers);

/** For the documentation: each operation, and what it does here. */
export function operationStates(): readonly (readonly [string, string])[] {
  return Object.entries(handlers).map(([operation, handler]) => {
    const what = missing.get(handler);
    if (what !== undefined) return [operation, `501: ${what} is not in this version`];
    return [operation, handler === noSwarm ? '503: a node that is in no swarm' : 'answered'];
  });
}
