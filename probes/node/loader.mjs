// ESM hooks of the probe for Node without `registerHooks`: they run in a thread of their own.
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';

const { rewritten } = createRequire(import.meta.url)('./modules.cjs');
let app = null;

export function initialize(data) { app = data.app; }

export async function load(url, context, next) {
  const result = await next(url, context);
  try {
    if (result.format !== 'module' || !url.startsWith('file:') || result.source == null) return result;
    const source = typeof result.source === 'string' ? result.source : Buffer.from(result.source).toString('utf8');
    const started = performance.now();
    try {
      const own = rewritten(source, fileURLToPath(url.split(/[?#]/)[0]), true, app, 1 << 28);
      return own === null ? result : { ...result, source: own.code };
    } catch (error) {
      // Told by the module itself, when it runs: this thread writes no events.
      const note = `globalThis.__rp$?.f(${JSON.stringify(error.file)},${Math.round(performance.now() - started)},${JSON.stringify(error.message)});`;
      return { ...result, source: note + source.replace(/^#!.*/, '') };
    }
  } catch {
    return result;
  }
}
