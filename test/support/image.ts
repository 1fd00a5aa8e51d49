// How the chart runs the program: Node's flags and the environment, read from the Dockerfile and the chart of this checkout or another one.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { parseQuantity } from '../../src/metric-sources/quantity.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const inDockerfile = (instruction: string, checkout: string): string =>
  new RegExp(`^${instruction} (.*)$`, 'm').exec(readFileSync(path.join(checkout, 'Dockerfile'), 'utf8'))![1]!;

/** Node's flags in the image, and the limit of the heap that Node sets by itself in a container with the chart's limit of memory: half of it. */
export const imageFlags = (checkout = root): string[] => [
  ...(JSON.parse(inDockerfile('ENTRYPOINT', checkout)) as string[]).filter((word) => word.startsWith('--')),
  `--max-old-space-size=${memoryLimit(checkout) / 2 ** 20 / 2}`,
];

function memoryLimit(checkout: string): number {
  const values = parse(readFileSync(path.join(checkout, 'charts/tranche/values.yaml'), 'utf8')) as {
    readonly operator: { readonly resources: { readonly limits: { readonly memory: string } } };
  };
  return parseQuantity(values.operator.resources.limits.memory)!;
}

/** Environment variables of the image. */
export const imageEnv = (checkout = root): NodeJS.ProcessEnv =>
  Object.fromEntries(
    inDockerfile('ENV', checkout)
      .split(' ')
      .map((entry) => entry.split('=')),
  );
