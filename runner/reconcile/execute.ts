import { BerthError, isBerthError } from '#shared/errors.ts';
import type { AssignedTask } from '#shared/model/task.ts';
import type { Engine } from '../container/engine.ts';
import { configFromImage } from '../container/from-image.ts';
import { imageVolumes } from '../container/image-volumes.ts';
import type { ImageStore } from '../image/store.ts';
import { anonymousName } from '../volume/volume-name.ts';
import type { StepArguments, StepKind, StepOf } from './step.ts';

/** What steps act upon. */
export interface StepContext {
  readonly engine: Engine;
  readonly images: ImageStore;
}

type Executors = {
  readonly [Kind in StepKind]: (context: StepContext, args: StepArguments[Kind]) => Promise<void>;
};

/** Each may be repeated after a crash at any line: it finds what is there, and does what is left to do. */
const executors: Executors = {
  async createContainer({ engine, images }, { task }) {
    const name = containerName(task);
    if (engine.find(name)?.config.task?.id === task.id) return;
    const image = images.find(task.container.image);
    if (image === undefined) throw imageGone(task.container.image);
    const identity = {
      name,
      publishGroup: task.serviceId,
      hostname: `${task.service}-${task.slot}`.slice(-63),
      task: { id: task.id, epoch: task.epoch, serviceId: task.serviceId, slot: task.slot },
    };
    const mounts = [...imageVolumes(image.config, anonymousName)];
    await engine.create({ ...configFromImage(image, task.container, identity), mounts });
  },

  async startContainer({ engine }, { containerId }) {
    const state = engine.find(containerId)?.state;
    if (state === 'created' || state === 'exited') await engine.start(containerId);
  },

  async stopContainer({ engine }, { containerId }) {
    await unlessGone(engine.stop(containerId));
  },

  async removeContainer({ engine }, { containerId }) {
    await unlessGone(engine.remove(containerId));
  },
};

/** Performs a step; rejects with what the engine throws. */
export function execute<Kind extends StepKind>(context: StepContext, step: StepOf<Kind>): Promise<void> {
  return executors[step.kind](context, step);
}

/** Unique to the task, so that a repeated creation finds the first one's container. */
function containerName(task: AssignedTask): string {
  return `${task.stack}.${task.service}.${task.slot}.${task.id}`;
}

async function unlessGone(operation: Promise<void>): Promise<void> {
  try {
    await operation;
  } catch (error) {
    if (!isBerthError(error) || error.code !== 'container.unknown') throw error;
  }
}

function imageGone(reference: string): BerthError {
  return new BerthError('not-found', 'image.unknown', `image "${reference}" is not on this host`, {
    remedy: 'Load it with: berth image load.',
  });
}
