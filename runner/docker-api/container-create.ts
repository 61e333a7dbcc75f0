import { randomInt, randomUUID } from 'node:crypto';
import { isBerthError } from '#shared/errors.ts';
import { json, type Answer } from './answer.ts';
import { atLeast, jsonBody, option, type ApiRequest } from './api-request.ts';
import { requireLinks } from './container-links.ts';
import type { DockerApiContext } from './context.ts';
import { checkName, nameConflict, requireImage } from './docker-errors.ts';
import { hostLimits } from './host-limits.ts';
import { containerConfigOf, type CreateContext } from './translate/container-config.ts';
import { checkLimits } from './translate/create/check-limits.ts';
import { isolationWarnings } from './translate/create/isolation.ts';
import { checkNetworkConflicts } from './translate/create/network-conflicts.ts';
import { placementOf } from './translate/create/network-endpoints.ts';
import { createBody, type CreateBody } from './translate/create-request.ts';
import { wantedPorts } from './translate/create/published-ports.ts';
import { checkPlatform } from './translate/wanted-platform.ts';
import { wantedMounts } from './wanted-mounts.ts';

/** POST /containers/create */
export async function createContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const body = await jsonBody(request, createBody);
  // Clients before API 1.44 know no start interval.
  if (!atLeast(request, '1.44') && body.Healthcheck) delete body.Healthcheck.StartInterval;
  const name = option(request, 'name')?.replace(/^\//, '') ?? unusedName(context);
  checkName(name);
  const { HostConfig: hostConfig, NetworkingConfig: _, ...config } = body;
  const { limits, warnings: discarded } = checkLimits(hostConfig ?? {}, hostLimits(context), 'create');
  checkNetworkConflicts(config, hostConfig ?? {});
  const image = requireImage(context, body.Image ?? '');
  const platform = option(request, 'platform');
  if (platform !== undefined) checkPlatform(body.Image ?? '', image, platform);
  const exposed = Object.keys({ ...image.config.config?.ExposedPorts, ...body.ExposedPorts });
  const networking = networkingOf(context, request, body, exposed);
  const mounts = wantedMounts(context, request, { body, image });
  const legacyLinks = requireLinks(context, hostConfig ?? {});
  const { isolation, log } = context;
  const wanted = {
    ...containerConfigOf(
      { ...body, HostConfig: limits },
      { name, publishGroup: randomUUID(), image, networking, isolation, mounts, log },
    ),
    legacyLinks,
  };
  const warnings = [...discarded, ...isolationWarnings(hostConfig ?? {}), ...portWarnings(body)];
  try {
    const { id } = await context.engine.create(wanted);
    return json({ Id: id, Warnings: warnings }, 201);
  } catch (error) {
    const holder = context.engine.find(name);
    if (isBerthError(error) && error.code === 'container.name-taken' && holder !== undefined) {
      throw nameConflict(name, holder.id);
    }
    throw error;
  }
}

/**
 * Where the container is to be, and what it publishes: in a namespace that it shares, nothing.
 *
 * @throws BerthError `docker.network-conflict`, `docker.endpoint-invalid`, `docker.port-invalid`
 */
function networkingOf(
  context: DockerApiContext,
  request: ApiRequest,
  body: CreateBody,
  exposed: readonly string[],
): CreateContext['networking'] {
  const placement = placementOf(body, {
    networks: context.network,
    findContainer: (reference) => context.engine.find(reference),
    hostName: context.view().facts.hostname,
    allowsSeveral: atLeast(request, '1.44'),
  });
  const ports = wantedPorts(body.HostConfig ?? {}, exposed);
  return { ...placement, ports: placement.networkNamespace.kind === 'own' ? [...ports] : [] };
}

/** dockerd's warning for ports that nothing will publish. */
function portWarnings({ HostConfig: host }: CreateBody): readonly string[] {
  const publishes = host?.PublishAllPorts === true || Object.keys(host?.PortBindings ?? {}).length > 0;
  if (host?.NetworkMode !== 'host' || !publishes) return [];
  return ['Published ports are discarded when using host network mode'];
}

const qualities = [
  'able',
  'brisk',
  'calm',
  'deft',
  'eager',
  'fair',
  'glad',
  'hardy',
  'keen',
  'lively',
  'merry',
  'neat',
];
const ships = ['argo', 'beagle', 'calypso', 'cutty', 'discovery', 'endurance', 'fram', 'gjoa', 'kontiki', 'vasa'];

function unusedName({ engine }: DockerApiContext): string {
  for (let digits = 0; ; digits += 1) {
    const pair = `${qualities[randomInt(qualities.length)] ?? ''}_${ships[randomInt(ships.length)] ?? ''}`;
    const name = digits === 0 ? pair : `${pair}${randomInt(10 ** Math.min(digits, 9))}`;
    if (engine.find(name) === undefined) return name;
  }
}
