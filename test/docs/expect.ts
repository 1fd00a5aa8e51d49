// Compares what a command printed with what a page shows, where names, ages and times differ each time.

/** What differs from run to run, made the same in both texts. */
function clean(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replace(/\b([a-z][a-z0-9-]*?)-[bcdf-hj-np-tv-z2456789]{7,10}-[bcdf-hj-np-tv-z2456789]{5}\b/g, '$1-HASH-POD')
    .replace(/\b([a-z][a-z0-9-]*?)-[bcdf-hj-np-tv-z2456789]{8,10}\b/g, '$1-HASH')
    .replace(/\b(\d+(\.\d+)?(ms|[smhd]))+(?![\w-])/g, 'AGE')
    .replace(/<(unknown|invalid)>/g, 'AGE')
    .replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, 'IP');
}

const squeeze = (line: string): string => line.trim().replace(/\s+/g, ' ');

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** A line that is `...` alone stands for any lines; within a line, `...` (or `…`) stands for anything. */
function patternOf(shown: string): RegExp {
  const lines = clean(shown)
    .split('\n')
    .map(squeeze)
    .filter((line) => line !== '');
  const parts = lines.map((line) =>
    /^(\.\.\.|…)$/.test(line)
      ? '(?:[^\\n]*\\n)*?'
      : `${line
          .split(/\.\.\.|…/)
          .map(escape)
          .join('[^\\n]*?')}\\n`,
  );
  return new RegExp(`^${parts.join('')}$`);
}

/** Is it what the page shows? Columns may be wider, blank lines are nothing. */
export function isAsShown(shown: string, printed: string): boolean {
  const text = clean(printed)
    .split('\n')
    .map(squeeze)
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('');
  return patternOf(shown).test(text);
}
