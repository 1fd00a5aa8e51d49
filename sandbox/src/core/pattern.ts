// Regular expressions as Kubernetes has them: RE2, in linear time, so that no pattern and no text can block the server.
import { RE2JS } from 're2js';

const MOST_PATTERNS = 1000;

const compiled = new Map<string, RE2JS>();

/** Throws an error with Go's message if the expression is invalid. */
export function goPattern(source: string): RE2JS {
  let pattern = compiled.get(source);
  if (!pattern) {
    pattern = RE2JS.compile(source);
    if (compiled.size >= MOST_PATTERNS) compiled.clear();
    compiled.set(source, pattern);
  }
  return pattern;
}
