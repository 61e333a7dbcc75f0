const block = 512;

/** Sizes from here on do not fit eleven octal digits. */
const octalSizeLimit = 8 ** 11;

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

/** GNU's base-256 form: the first bit of the field is set. */
function binarySize(size: number): Buffer {
  const field = Buffer.alloc(12);
  field.writeBigUInt64BE(BigInt(size), 4);
  field[0] = 0x80;
  return field;
}

/** The header of a file of an archive that we write; a name has at most 100 bytes. */
export function tarHeader(name: string, sizeBytes: number, modifiedAtS: number): Buffer {
  const bytes = Buffer.alloc(block);
  const directory = name.endsWith('/');
  bytes.write(name, 0, 100);
  bytes.write(octal(directory ? 0o755 : 0o644, 8), 100);
  bytes.write(octal(0, 8), 108);
  bytes.write(octal(0, 8), 116);
  if (sizeBytes < octalSizeLimit) bytes.write(octal(sizeBytes, 12), 124);
  else binarySize(sizeBytes).copy(bytes, 124);
  bytes.write(octal(modifiedAtS, 12), 136);
  bytes.write('        ', 148);
  bytes.write(directory ? '5' : '0', 156);
  bytes.write('ustar\x0000', 257);
  bytes.write(
    `${bytes
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return bytes;
}

/** What follows a file's content. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((block - (sizeBytes % block)) % block);
}

/** What ends an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * block);
