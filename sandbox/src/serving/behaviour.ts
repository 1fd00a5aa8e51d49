// What a container that serves does, as the tag of its image says: `:v2-errors-20-delay-50`. Pure.

export interface Behaviour {
  /** Share of answers with status 500, in percent. */
  readonly errors: number;
  /** Time before each answer, in milliseconds. */
  readonly delay: number;
  /** Growth of its memory, in MiB a minute. */
  readonly leak: number;
  /** It needs this many times the usual CPU and memory. */
  readonly hungry: number;
}

const USUAL: Behaviour = { errors: 0, delay: 0, leak: 0, hungry: 1 };

const BOUNDS: Readonly<Record<keyof Behaviour, readonly [least: number, most: number]>> = {
  errors: [0, 100],
  delay: [0, 60_000],
  leak: [0, 10_000],
  hungry: [1, 100],
};

/** The tag of an image; `latest` if it has none. */
export const tagOf = (image: string): string => /:([^/:@]+)(@.*)?$/.exec(image)?.[1] ?? 'latest';

/** The last parts of the tag, in pairs: a name of BOUNDS and a number. `problem`: why the tag is not followed. */
export function behaviourOf(image: string): { readonly behaviour: Behaviour; readonly problem?: string } {
  const parts = tagOf(image).split('-');
  const found = new Map<string, number>();
  const refuse = (why: string): ReturnType<typeof behaviourOf> => ({ behaviour: USUAL, problem: `tag ${why}` });
  while (parts.length >= 2 && isName(parts.at(-2)!)) {
    const [name, text] = parts.splice(-2) as [keyof Behaviour, string];
    const [least, most] = BOUNDS[name];
    const value = /^(0|[1-9]\d{0,5})$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most))
      return refuse(`${name}-${text}: write a whole number from ${least} to ${most}`);
    if (found.has(name)) return refuse(`${name} is given twice: write it once`);
    found.set(name, value);
  }
  const lost = parts.find(isName);
  if (lost !== undefined) return refuse(`${lost}: write ${lost}-NUMBER at the end`);
  return { behaviour: { ...USUAL, ...(Object.fromEntries(found) as Partial<Behaviour>) } };
}

const isName = (part: string): boolean => Object.hasOwn(BOUNDS, part);

export interface Usage {
  readonly cpuNanocores: number;
  readonly memoryBytes: number;
}

const MIB = 2 ** 20;
const IDLE_NANOCORES = 5e6;
const NANOCORES_PER_REQUEST = 1e6;
const IDLE_MIB = 64;
/** Pods of one version differ by up to this share. */
const VARIETY = 0.05;

/** Numbers for a container that does not exist: `pod` makes Pods differ a little, always in the same way. */
export function usageOf(
  { leak, hungry }: Behaviour,
  { pod, runningMs, requestsPerSecond }: { pod: string; runningMs: number; requestsPerSecond: number },
): Usage {
  let hash = 0;
  for (const letter of pod) hash = (hash * 31 + letter.charCodeAt(0)) % 1009;
  const factor = hungry * (1 + (VARIETY * hash) / 1009);
  return {
    cpuNanocores: Math.round(factor * (IDLE_NANOCORES + NANOCORES_PER_REQUEST * requestsPerSecond)),
    memoryBytes: Math.round(MIB * (factor * IDLE_MIB + leak * (Math.max(0, runningMs) / 60_000))),
  };
}
