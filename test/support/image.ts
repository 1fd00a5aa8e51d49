// How the image runs the program: Node's flags and the environment, read from the Dockerfile of this checkout or another one.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

const inDockerfile = (instruction: string, checkout: string): string =>
  new RegExp(`^${instruction} (.*)$`, 'm').exec(readFileSync(path.join(checkout, 'Dockerfile'), 'utf8'))![1]!;

/** Node's flags in the image. */
export const imageFlags = (checkout = root): string[] =>
  (JSON.parse(inDockerfile('ENTRYPOINT', checkout)) as string[]).filter((word) => word.startsWith('--'));

/** Environment variables of the image. */
export const imageEnv = (checkout = root): NodeJS.ProcessEnv =>
  Object.fromEntries(
    inDockerfile('ENV', checkout)
      .split(' ')
      .map((entry) => entry.split('=')),
  );
