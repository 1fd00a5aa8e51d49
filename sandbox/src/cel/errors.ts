// Error messages of expressions, in the wording of Kubernetes' CEL (cel-go).

/** The expression does not compile. */
export class CelCompileError extends Error {
  override readonly name = 'CelCompileError';
}

/** The evaluation failed for these values. */
export class CelRuntimeError extends Error {
  override readonly name = 'CelRuntimeError';
}

/** The line with an arrow below the column, as in cel-go. */
export const pointAt = (message: string, expression: string, position: number): string => {
  const before = expression.slice(0, position);
  const line = before.split('\n').length;
  const column = position - (before.lastIndexOf('\n') + 1);
  const text = expression.split('\n')[line - 1] ?? '';
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${text}\n | ${'.'.repeat(column)}^`;
};

interface LibraryError {
  code?: string;
  summary?: string;
  message: string;
}

/** Translates parser and type errors of the library to the wording of cel-go. */
export const compileMessage = (error: LibraryError, known: (name: string) => boolean): string => {
  const summary = error.summary ?? error.message;
  switch (error.code) {
    case 'unknown_variable':
      return `undeclared reference to '${lastWord(summary)}' (in container '')`;
    case 'no_such_key':
      return `undefined field '${lastWord(summary)}'`;
    case 'no_such_overload': {
      const binary = /^no such overload: (\S.*) (==|!=|<=|>=|[-+*/%<>]|in) (.*)$/.exec(summary);
      if (binary) {
        const [, left, operator, right] = binary;
        return `found no matching overload for '${operator === 'in' ? '@in' : `_${operator}_`}' applied to '(${left}, ${right})'`;
      }
      const unary = /^no such overload: ([-!])(.*)$/.exec(summary);
      return unary ? `found no matching overload for '${unary[1]}_' applied to '(${unary[2]})'` : summary;
    }
    case 'no_matching_overload': {
      const call = /^found no matching overload for '(?:(.*)\.)?(\w+)\((.*)\)'$/.exec(summary);
      if (!call) return summary;
      const [, receiver, name, args] = call;
      const written = originalName(name!);
      if (!known(name!)) return `undeclared reference to '${written}' (in container '')`;
      return `found no matching overload for '${written}' applied to '${receiver === undefined ? '' : `${receiver}.`}(${args})'`;
    }
    case 'invalid_logical_operand':
    case 'invalid_condition_type':
      return `found no matching overload: ${summary}`;
    default:
      return error.code?.startsWith('invalid_macro') ? summary : `Syntax error: ${summary}`;
  }
};

/** Translates evaluation errors of the library to the wording of cel-go. */
export const runtimeMessage = (error: LibraryError): string => {
  const summary = error.summary ?? error.message;
  switch (error.code) {
    case 'no_such_key':
      return `no such key: ${summary.replace(/^No such key: /, '')}`;
    case 'index_out_of_bounds':
      return `index out of bounds: ${/index (-?\d+)/.exec(summary)?.[1] ?? ''}`;
    case 'division_by_zero':
      return 'division by zero';
    case 'modulo_by_zero':
      return 'modulus by zero';
    case 'numeric_overflow':
      return 'integer overflow';
    case 'optional_value_missing':
      return 'optional.none() dereference';
    case 'no_such_overload':
    case 'no_matching_overload':
    case 'invalid_logical_operand':
    case 'invalid_condition_type':
    case 'cannot_index_type':
    case 'invalid_comprehension_range':
      return 'no such overload';
    default:
      return summary;
  }
};

const lastWord = (text: string): string => text.slice(text.lastIndexOf(' ') + 1);

const PREFIX = 'cel_';
/** Replacements of library functions have names that expressions cannot use. */
export const internalName = (name: string): string => PREFIX + name;
const originalName = (name: string): string => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name);
