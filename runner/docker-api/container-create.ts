import { randomInt, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { BerthError, isBerthError } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import { json, type Answer } from './answer.ts';
import { atLeast, jsonBody, option, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { checkName, nameConflict, requireImage } from './docker-errors.ts';
import { checkFields } from './translate/check-fields.ts';
import { containerConfigOf } from './translate/container-config.ts';
import { discardWarnings } from './translate/create/resources.ts';
import { createBody, type CreateBody } from './translate/create-request.ts';
import { wantedPorts, type WantedPort } from './translate/create/published-ports.ts';

/** POST /containers/create */
export async function createContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const body = await jsonBody(request, createBody);
  // Clients before API 1.44 know no start interval.
  if (!atLeast(request, '1.44') && body.Healthcheck) delete body.Healthcheck.StartInterval;
  const name = option(request, 'name')?.replace(/^\//, '') ?? unusedName(context);
  checkName(name);
  const { HostConfig: hostConfig, NetworkingConfig: _, ...config } = body;
  checkFields(config, hostConfig ?? {});
  checkNetworks(body);
  const image = requireImage(context, body.Image ?? '');
  const exposed = Object.keys({ ...image.config.config?.ExposedPorts, ...body.ExposedPorts });
  const ports = await Promise.all(wantedPorts(hostConfig ?? {}, exposed).map(chosenPort));
  const wanted = containerConfigOf(body, { name, publishGroup: randomUUID(), image, ports, log: context.log });
  const controllers = context.view().facts.controllers;
  try {
    const { id } = await context.engine.create(wanted);
    return json({ Id: id, Warnings: discardWarnings(wanted, controllers) }, 201);
  } catch (error) {
    const holder = context.engine.find(name);
    if (isBerthError(error) && error.code === 'container.name-taken' && holder !== undefined) {
      throw nameConflict(name, holder.id);
    }
    throw error;
  }
}

function checkNetworks({ NetworkingConfig: networking }: CreateBody): void {
  for (const name of Object.keys(networking?.EndpointsConfig ?? {})) {
    if (name === 'default' || name === 'bridge') continue;
    throw new BerthError('not-found', 'docker.no-network', `network ${name.slice(0, 80)} not found`);
  }
}

/** A port that is free now; the reservation at the start is what decides. */
async function chosenPort({ protocol, containerPort, hostPort }: WantedPort): Promise<PublishedPort> {
  if (hostPort !== undefined) return { protocol, containerPort, hostPort };
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, () => resolve());
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new TypeError('a listening server has an address');
  return { protocol, containerPort, hostPort: address.port };
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
