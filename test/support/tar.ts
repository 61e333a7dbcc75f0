/** One entry of a tar to be made. Everything has a default but the name. */
export interface TarEntry {
  readonly name: string;
  /** ustar typeflag; '0' a file, '1' hard link, '2' symlink, '3' and '4' devices, '5' directory, '6' fifo. */
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: string;
  readonly content?: string | Uint8Array;
  readonly device?: readonly [major: number, minor: number];
  /** Records of a PAX extended header, as `SCHILY.xattr.user.x`. */
  readonly pax?: Readonly<Record<string, string | Uint8Array>>;
  /** Overrides the header's size field, to tell a lie. */
  readonly statedSize?: number;
}

const block = 512;

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

function header(entry: TarEntry, name: Buffer, link: Buffer, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  name.copy(bytes, 0, 0, 100);
  bytes.write(octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 8), 100);
  bytes.write(octal(entry.uid ?? 0, 8), 108);
  bytes.write(octal(entry.gid ?? 0, 8), 116);
  bytes.write(octal(entry.statedSize ?? size, 12), 124);
  bytes.write(octal(entry.mtime ?? 0, 12), 136);
  bytes.write('        ', 148);
  bytes.write(entry.type ?? '0', 156);
  link.copy(bytes, 157, 0, 100);
  bytes.write('ustar\x0000', 257);
  bytes.write(octal(entry.device?.[0] ?? 0, 8), 329);
  bytes.write(octal(entry.device?.[1] ?? 0, 8), 337);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)]);
}

function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = body.length;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** The bytes of one entry: extended header where it has one, header, padded content. */
export function tarEntry(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const name = Buffer.from(entry.name);
  const link = Buffer.from(entry.link ?? '');
  const records = Object.entries(entry.pax ?? {});
  if (name.length > 100) records.push(['path', entry.name]);
  if (link.length > 100) records.push(['linkpath', entry.link ?? '']);
  const parts: Buffer[] = [];
  if (records.length > 0) {
    const data = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
    parts.push(
      header({ name: 'PaxHeader', type: 'x' }, Buffer.from('PaxHeader'), Buffer.alloc(0), data.length),
      padded(data),
    );
  }
  parts.push(header(entry, name, link, content.length), padded(content));
  return Buffer.concat(parts);
}

/** A whole tar with its two zero blocks. */
export function tar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(2 * block)]);
}
