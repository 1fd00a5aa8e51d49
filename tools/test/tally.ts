// The result of one suite, read from what its program prints: mocha's json-stream, and whatever else comes between its lines. Pure.

export interface Failure {
  readonly title: string;
  /** The error with its stack. */
  readonly text: string;
}

/** How the program of a suite ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Names of what it left in its temporary folder. */
  readonly left: readonly string[];
}

/** Lines of output that are kept for the report of a failure. */
const KEPT_LINES = 60;

export class Tally {
  /** The number of tests; undefined until the suite begins. */
  total: number | undefined;
  passed = 0;
  skipped = 0;
  readonly failures: Failure[] = [];
  #reachedEnd = false;
  #said: string[] = [];

  /** Takes a line of the output. Returns the failure that it reports. */
  hear(line: string): Failure | undefined {
    const event = eventIn(line);
    if (event === undefined) {
      this.#said = [...this.#said, line].slice(-KEPT_LINES);
      return undefined;
    }
    const [name, value] = event;
    if (name === 'start') this.total = value.total;
    if (name === 'pass') this.passed++;
    if (name === 'end') {
      this.#reachedEnd = true;
      this.skipped = value.pending ?? 0;
    }
    if (name !== 'fail') return undefined;
    const failure = { title: value.fullTitle ?? '', text: value.stack || value.err || '' };
    this.failures.push(failure);
    return failure;
  }

  /** Takes the end of the program. A suite that breaks off, or that runs no test, has failed. Returns new failures. */
  end({ code, signal, left }: Exit, hasTests: boolean): Failure[] {
    const news: Failure[] = [];
    const add = (title: string, text: string): void => void news.push({ title, text });
    const said = this.#said.join('\n').trim();
    const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
    if (!hasTests) {
      if (code === 0) this.passed++;
      else add(`ended with ${ending}`, said);
    } else if (!this.#reachedEnd) add(`broke off with ${ending}`, said || 'It printed nothing.');
    else if (this.passed + this.skipped + this.failures.length === 0) add('ran no test', said);
    else if (code !== 0 && this.failures.length === 0) add(`ended with ${ending}, although no test failed`, said);
    if (left.length > 0)
      add('left something in the temporary folder', `Each test removes what it creates: ${left.join(', ')}`);
    this.failures.push(...news);
    return news;
  }
}

interface Value {
  readonly total?: number;
  readonly pending?: number;
  readonly fullTitle?: string;
  readonly err?: string;
  readonly stack?: string | null;
}

/** An event may follow what a test has printed without an end of line. */
function eventIn(line: string): [name: string, value: Value] | undefined {
  const found = /\["(?:start|pass|fail|end)",\{.*\}\]$/.exec(line);
  if (found === null) return undefined;
  try {
    return JSON.parse(found[0]) as [string, Value];
  } catch {
    return undefined;
  }
}
