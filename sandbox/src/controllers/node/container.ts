// The life of a container as a list of stages, with their durations and statuses.
import { timestamp } from '../framework/meta.ts';
import type { Fate } from './keys.ts';

export interface Terminated {
  exitCode: number;
  reason: string;
  startedAt: string;
  finishedAt: string;
}

export interface Life {
  image: string;
  stage: 'creating' | 'running' | 'pull-failed' | 'pull-backoff' | 'crashed' | 'crash-backoff' | 'completed' | 'failed';
  ready: boolean;
  /** It runs for some time before it is ready, and its server listens from then on. */
  serves: boolean;
  restarts: number;
  startedAt: string;
  last?: Terminated;
}

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;
const SLOW = 10;
/** The part of the time until Ready after which a container that serves runs. */
const STARTED = 0.2;

export const newLife = (image: string, serves: boolean): Life => ({
  image,
  stage: 'creating',
  ready: false,
  serves,
  restarts: 0,
  startedAt: '',
});

/** Milliseconds until the next stage. Undefined for a final stage. */
export const stayMs = (life: Life, fate: Fate, readyMs: number): number | undefined => {
  const startMs = fate === 'slow' ? readyMs * SLOW : readyMs;
  if (life.stage === 'creating') return fate === 'broken' ? readyMs / 2 : life.serves ? startMs * STARTED : startMs;
  if (life.stage === 'pull-failed' || life.stage === 'crashed') return readyMs;
  if (life.stage === 'crash-backoff') {
    return Math.min(FIRST_BACKOFF_MS * 2 ** Math.max(0, life.restarts - 1), LONGEST_BACKOFF_MS);
  }
  if (life.stage === 'running' && !life.ready) return life.serves ? startMs * (1 - STARTED) : startMs;
  return undefined;
};

/** The next stage. `task`: the container is expected to end. `again`: it restarts after a failure. */
export const nextLife = (life: Life, fate: Fate, task: boolean, again: boolean, nowMs: number): Life => {
  const now = timestamp(nowMs);
  const ended = (exitCode: number, reason: string): Terminated => ({
    exitCode,
    reason,
    startedAt: life.startedAt || now,
    finishedAt: now,
  });
  if (life.stage === 'pull-failed') return { ...life, stage: 'pull-backoff' };
  if (life.stage === 'creating' && fate === 'broken') return { ...life, stage: 'pull-failed' };
  if (fate === 'crash') {
    if (!again) return { ...life, stage: 'failed', ready: false, last: ended(1, 'Error') };
    if (life.stage === 'creating') return { ...life, stage: 'crashed', last: ended(1, 'Error') };
    return { ...life, stage: 'crash-backoff', restarts: life.restarts + 1, last: ended(1, 'Error') };
  }
  if (task) return { ...life, stage: 'completed', ready: false, last: ended(0, 'Completed') };
  const ready = !life.serves || life.stage === 'running';
  return { ...life, stage: 'running', ready, startedAt: life.startedAt || now };
};

/** The container was killed and restarts at once. */
export const killed = (life: Life, nowMs: number): Life => {
  if (life.stage !== 'running') return life;
  const now = timestamp(nowMs);
  const last = { exitCode: 137, reason: 'OOMKilled', startedAt: life.startedAt, finishedAt: now };
  return { ...life, ready: false, restarts: life.restarts + 1, startedAt: now, last };
};

const stateOf = ({ stage, image, startedAt, last }: Life, name: string): object => {
  switch (stage) {
    case 'creating':
      return { waiting: { reason: 'ContainerCreating' } };
    case 'running':
      return { running: { startedAt } };
    case 'pull-failed':
      return {
        waiting: {
          reason: 'ErrImagePull',
          message: `failed to pull and unpack image "${image}": failed to resolve reference "${image}": not found`,
        },
      };
    case 'pull-backoff':
      return { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}"` } };
    case 'crash-backoff':
      return { waiting: { reason: 'CrashLoopBackOff', message: `back-off restarting failed container=${name}` } };
    case 'crashed':
    case 'completed':
    case 'failed':
      return { terminated: last };
  }
};

/** One entry of status.containerStatuses. */
export const containerStatus = (name: string, life: Life, ready: boolean): object => ({
  image: life.image,
  imageID: life.stage === 'creating' || life.stage.startsWith('pull') ? '' : 'x',
  lastState: life.restarts > 0 && life.last ? { terminated: life.last } : {},
  name,
  ready,
  restartCount: life.restarts,
  state: stateOf(life, name),
});
