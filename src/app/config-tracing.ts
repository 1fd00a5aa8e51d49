// Reads the environment variables of OpenTelemetry: the endpoint for traces, and sampling.
import type { Sampling } from '../engine/trace/trace.ts';
import type { TracingOptions } from '../telemetry/tracing.ts';

export interface TracingConfig extends TracingOptions, Sampling {}

type Env = Readonly<Record<string, string | undefined>>;
/** Makes the error for an invalid variable. The message contains `value`. */
type Refuse = (variable: string, value: string | undefined, remedy: string) => Error;

const SAMPLERS: Readonly<Record<string, (ratio: number) => Sampling>> = {
  always_on: () => ({ ratio: 1, parentBased: false }),
  always_off: () => ({ ratio: 0, parentBased: false }),
  traceidratio: (ratio) => ({ ratio, parentBased: false }),
  parentbased_always_on: () => ({ ratio: 1, parentBased: true }),
  parentbased_always_off: () => ({ ratio: 0, parentBased: true }),
  parentbased_traceidratio: (ratio) => ({ ratio, parentBased: true }),
};

/** Returns undefined if tracing is off. Throws errors made by `refuse`. Their messages contain no values that may be secret. */
export function readTracing(env: Env, refuse: Refuse): TracingConfig | undefined {
  // By OpenTelemetry's rules, an empty variable is the same as an unset one.
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;
  const name = (what: string): string => {
    const own = `OTEL_EXPORTER_OTLP_TRACES_${what}`;
    return text(own) === undefined ? `OTEL_EXPORTER_OTLP_${what}` : own;
  };
  const endpoint = name('ENDPOINT');
  const value = text(endpoint);
  if (value === undefined || text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  if (text('OTEL_TRACES_EXPORTER') === 'none') return undefined;
  const protocol = text(name('PROTOCOL'));
  if (protocol !== undefined && !protocol.startsWith('http/')) {
    const remedy =
      'only HTTP is supported: write http/json, and use the HTTP port of the collector (4318) in the endpoint';
    throw refuse(name('PROTOCOL'), protocol, remedy);
  }
  const resource = readPairs('OTEL_RESOURCE_ATTRIBUTES', text('OTEL_RESOURCE_ATTRIBUTES'), refuse);
  return {
    url: readEndpoint(endpoint, value, refuse),
    headers: readHeaders(name('HEADERS'), text(name('HEADERS')), refuse),
    resource: { 'service.name': 'tranche', ...resource, ...named(text('OTEL_SERVICE_NAME')) },
    ...readSampler(text('OTEL_TRACES_SAMPLER'), text('OTEL_TRACES_SAMPLER_ARG'), refuse),
  };
}

const named = (service: string | undefined): Record<string, string> => (service ? { 'service.name': service } : {});

function readEndpoint(variable: string, value: string, refuse: Refuse): URL {
  const remedy = 'must be a URL such as http://HOST:4318';
  if (!URL.canParse(value)) throw refuse(variable, value.includes('@') ? undefined : value, remedy);
  const url = new URL(value);
  if (url.username || url.password) {
    const where = 'must not contain credentials: write them to OTEL_EXPORTER_OTLP_HEADERS, as Authorization=...';
    throw refuse(variable, undefined, where);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse(variable, value, remedy);
  if (!variable.includes('TRACES')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url;
}

function readHeaders(variable: string, value: string | undefined, refuse: Refuse): Record<string, string> {
  const headers = readPairs(variable, value, refuse);
  for (const [key, content] of Object.entries(headers)) {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(key) && /^[\t\x20-\x7e\x80-\xff]*$/.test(content)) continue;
    throw refuse(variable, undefined, `header "${key}" is not a valid HTTP header`);
  }
  return headers;
}

/** `key=value,key=value`, the values percent-encoded. */
function readPairs(variable: string, value: string | undefined, refuse: Refuse): Record<string, string> {
  const pairs = (value ?? '').split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair, index) => {
      const at = pair.indexOf('=');
      const decoded = at > 0 ? decode(pair.slice(at + 1).trim()) : undefined;
      if (decoded !== undefined) return [pair.slice(0, at).trim(), decoded];
      throw refuse(variable, undefined, `entry ${index + 1} is not KEY=VALUE: write KEY=VALUE,KEY=VALUE`);
    }),
  );
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function readSampler(name = 'parentbased_always_on', share: string | undefined, refuse: Refuse): Sampling {
  const sampler = Object.hasOwn(SAMPLERS, name) ? SAMPLERS[name] : undefined;
  if (sampler === undefined) {
    throw refuse('OTEL_TRACES_SAMPLER', name, `must be one of ${Object.keys(SAMPLERS).join(', ')}`);
  }
  const ratio = Number(share ?? '1');
  if (name.endsWith('ratio') && !(ratio >= 0 && ratio <= 1)) {
    throw refuse('OTEL_TRACES_SAMPLER_ARG', share, 'must be a number from 0 to 1');
  }
  return sampler(ratio);
}
