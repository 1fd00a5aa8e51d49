// Lines of JSON out of a body that arrives in pieces.
import type { StreamLine } from './wire.ts';

/** The lines of a body, which may be cut anywhere on their way. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamLine> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as StreamLine;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
