// ESM hooks of the probe for Node without `registerHooks`: they run in a thread of their own.
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';

const { moduleOptions, rewrite } = createRequire(import.meta.url)('./rewrite.cjs');
let app = null;

export function initialize(data) { app = data.app; }

export async function load(url, context, next) {
  const result = await next(url, context);
  try {
    if (result.format !== 'module' || !url.startsWith('file:') || result.source == null) return result;
    const options = moduleOptions(app, fileURLToPath(url.split(/[?#]/)[0]), true, 1 << 28);
    if (!options) return result;
    const source = typeof result.source === 'string' ? result.source : Buffer.from(result.source).toString('utf8');
    const started = performance.now();
    try {
      const { code } = rewrite(source, options);
      return { ...result, source: code };
    } catch (error) {
      // Told by the module itself, when it runs: this thread writes no events.
      const note = `globalThis.__rp$?.f(${JSON.stringify(options.file)},${Math.round(performance.now() - started)},${JSON.stringify(String(error.message).slice(0, 200))});`;
      return { ...result, source: note + source.replace(/^#!.*/, '') };
    }
  } catch {
    return result;
  }
}
