// A server with JSON documents: one number of a document, as it is now.
import { compileJsonPath, JsonPathError } from '../engine/lib/jsonpath.ts';
import { HttpClient, type HttpOptions } from './http.ts';
import type { MetricSource, Query, Series, Unknown } from './source.ts';

const MAX_CHARACTERS = 1_024;
const MAX_JSON_PATH = 256;
/** Segments without escapes, so that no server and no proxy can read another path: no `//`, `%2e`, `\` and `@`. */
const SEGMENT = /^[A-Za-z0-9._~!$&'()*+,;=:-]+$/;
const QUERY = /^([A-Za-z0-9._~!$&'()*+,;=:/?@-]|%[0-9A-Fa-f]{2})*$/;

/** Why the path of a check is not accepted. Undefined if it is. */
export function objectionToPath(path: string): string | undefined {
  if (path.length > MAX_CHARACTERS) return `it must have at most ${MAX_CHARACTERS} characters`;
  const [way, ...rest] = path.split('?');
  const [first, ...segments] = way!.split('/');
  if (first !== '' || segments.length === 0) return 'it must start with /';
  // A slash at the end is one empty segment.
  const named = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  if (named.some((segment) => !SEGMENT.test(segment) || segment === '.' || segment === '..'))
    return 'its parts must not be empty, . or .., and have no escapes, @, backslashes or spaces';
  return QUERY.test(rest.join('?')) ? undefined : 'characters in its query must be escaped with %';
}

export class Web implements MetricSource {
  readonly hasHistory = false;
  private readonly http: HttpClient;

  constructor(options: HttpOptions) {
    this.http = new HttpClient(options);
  }

  close(): void {
    this.http.close();
  }

  async range(
    query: Query,
    _fromMs: number,
    toMs: number,
    _stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown> {
    signal.throwIfAborted();
    if (query.kind !== 'Web') return { unknown: `a web source has no answer to a query of kind ${query.kind}` };
    const { path, jsonPath, namespace } = query;
    const objection = objectionToPath(path);
    if (objection !== undefined) return { unknown: `the path is not accepted: ${objection}` };
    const read = compiled(jsonPath);
    if (typeof read !== 'function') return read;
    const answer = await this.http.ask({ path, namespace }, signal);
    if ('unknown' in answer) return answer;
    if (answer.status !== 200) return { unknown: `the source answered ${answer.status}` };
    let document: unknown;
    try {
      document = JSON.parse(answer.text);
    } catch {
      return { unknown: 'the answer is not JSON' };
    }
    const [value, ...more] = read(document);
    if (value === undefined) return { unknown: 'there is nothing at jsonPath' };
    if (more.length > 0) return { unknown: `there are ${more.length + 1} values at jsonPath instead of one` };
    if (typeof value !== 'number') return { unknown: 'the value at jsonPath is not a number' };
    return [{ pod: undefined, samples: new Map([[toMs, value]]) }];
  }
}

function compiled(jsonPath: string): ReturnType<typeof compileJsonPath> | Unknown {
  if (jsonPath.length > MAX_JSON_PATH) return { unknown: `jsonPath has more than ${MAX_JSON_PATH} characters` };
  try {
    return compileJsonPath(jsonPath);
  } catch (error) {
    if (error instanceof JsonPathError)
      return { unknown: 'jsonPath is not valid: write one path, such as {.data.score}' };
    throw error;
  }
}
