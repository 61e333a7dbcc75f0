import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { busyboxImage, dockerArchive, ociArchive, ociLayoutEntries } from '../test/support/image.ts';
import type { ImageRunConfig, TestImage } from '../test/support/image.ts';
import type { TarEntry } from '../test/support/tar.ts';

const usage = `usage: node scripts/make-image.ts --output PATH [options]

Makes a small image from Debian's busybox-static; no registry is needed.
  --output PATH         file to write (a directory for --format oci-layout)
  --reference NAME      default hello:1
  --format FORMAT       docker-archive (default), oci-archive or oci-layout
  --cmd JSON            command, as a JSON array of strings; default ["sh"]
  --entrypoint JSON     entry point, as a JSON array of strings
  --env NAME=VALUE      repeatable; PATH is set unless given
  --workdir DIR   --user USER   --label NAME=VALUE   --expose PORT/PROTOCOL
  --file DEST=SOURCE    puts the host's file SOURCE at DEST in the image; repeatable
  --executable DEST=SOURCE   the same with mode 0755
`;

function pair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`"${text}" is not NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function stringList(json: string): string[] {
  const value: unknown = JSON.parse(json);
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw new Error(`${json} is not a JSON array of strings`);
  }
  return value;
}

async function fileEntries(pairs: readonly string[], mode: number): Promise<TarEntry[]> {
  return Promise.all(
    pairs.map(async (text) => {
      const [destination, source] = pair(text);
      return { name: destination.replace(/^\/+/, ''), mode, content: await readFile(source) };
    }),
  );
}

async function writeImage(format: string, output: string, image: TestImage): Promise<void> {
  switch (format) {
    case 'docker-archive':
      return writeFile(output, dockerArchive([image]));
    case 'oci-archive':
      return writeFile(output, ociArchive([image]));
    case 'oci-layout':
      for (const { name, content } of ociLayoutEntries([image])) {
        await mkdir(dirname(join(output, name)), { recursive: true });
        await writeFile(join(output, name), content ?? '');
      }
      return;
    default:
      throw new Error(`unknown format ${format}`);
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      output: { type: 'string' },
      reference: { type: 'string', default: 'hello:1' },
      format: { type: 'string', default: 'docker-archive' },
      cmd: { type: 'string' },
      entrypoint: { type: 'string' },
      env: { type: 'string', multiple: true, default: [] },
      workdir: { type: 'string' },
      user: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      expose: { type: 'string', multiple: true, default: [] },
      file: { type: 'string', multiple: true, default: [] },
      executable: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.output === undefined) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const config: ImageRunConfig = {
    ...(values.cmd === undefined ? {} : { Cmd: stringList(values.cmd) }),
    ...(values.entrypoint === undefined ? {} : { Entrypoint: stringList(values.entrypoint) }),
    ...(values.workdir === undefined ? {} : { WorkingDir: values.workdir }),
    ...(values.user === undefined ? {} : { User: values.user }),
    Labels: Object.fromEntries(values.label.map(pair)),
    ExposedPorts: Object.fromEntries(values.expose.map((port) => [port, {}])),
  };
  const files = [...(await fileEntries(values.file, 0o644)), ...(await fileEntries(values.executable, 0o755))];
  const image = busyboxImage({ reference: values.reference, config, env: values.env, files });
  await writeImage(values.format, values.output, image);
  process.stdout.write(`${values.output}: ${values.reference} (${values.format})\n`);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
