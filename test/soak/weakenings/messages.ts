import type { Weakening } from '../weakening.ts';

const decode = 'runner/launcher/c/decode.c';
const bounds = 'CVE-2021-43784';

const decoder = (name: string): Weakening['test'] => ({
  project: 'unit',
  file: 'runner/launcher/decoder.test.ts',
  name,
});
const host = (name: string): Weakening['test'] => ({
  project: 'system',
  file: 'test/security/launcher-host.test.ts',
  name,
});

/** Lengths and counts in what the launcher is sent. */
export const messageWeakenings: readonly Weakening[] = [
  {
    name: 'end-of-the-buffer',
    rule: bounds,
    without: 'the decoder reads on behind the end of a plan',
    changes: [{ file: decode, from: 'if (reader->bad || reader->left < size) {', to: 'if (reader->bad) {' }],
    test: decoder('a plan cut anywhere'),
    sees: /AddressSanitizer/,
  },
  {
    name: 'length-of-a-text',
    rule: bounds,
    without: 'a text may be of any length',
    changes: [{ file: decode, from: 'if (length > MAX_STRING) reader->bad = true;', to: '' }],
    test: decoder('a text that is too long is refused'),
    sees: /to be 1/,
  },
  {
    name: 'zero-in-a-text',
    rule: bounds,
    without: 'a text may hold a zero byte',
    changes: [
      { file: decode, from: 'if (memchr(text, 0, (size_t)length + 1) != text + length) {', to: 'if (!text) {' },
    ],
    test: decoder('a text with a zero byte in it is refused'),
    sees: /to be 1/,
  },
  {
    name: 'number-of-texts',
    rule: bounds,
    without: 'there may be any number of arguments, whose room is fixed',
    changes: [{ file: decode, from: 'if (strings.count > MAX_STRINGS) reader->bad = true;', to: '' }],
    test: decoder('more texts than there is room for are refused'),
    sees: /to be 1/,
  },
  {
    name: 'number-of-operations',
    rule: bounds,
    without: 'a plan may have any number of operations',
    changes: [{ file: decode, from: 'if (*count > MAX_OPERATIONS) return false;', to: '' }],
    test: decoder('more operations than a plan may have are refused'),
    sees: /to be 1/,
  },
  {
    name: 'size-of-the-device-program',
    rule: bounds,
    without: 'a device program may be of any size',
    changes: [
      {
        file: decode,
        from: 'if (o->device_program.count == 0 || o->device_program.count > MAX_INSTRUCTIONS) r->bad = true;',
        to: '',
      },
    ],
    test: decoder('a device program of no or too many instructions is refused'),
    sees: /to be 1/,
  },
  {
    name: 'frame-of-the-shim',
    rule: bounds,
    without: 'the shim takes a frame of any length',
    changes: [
      {
        file: 'runner/launcher/c/connection.c',
        from: 'if (size > IN_SIZE - FRAME_HEADER) return connection_close(connection);',
        to: '',
      },
    ],
    test: host('a shim closes a connection that announces more than it takes'),
    sees: /expected false to be true/,
  },
  {
    name: 'frame-of-the-spawner',
    rule: bounds,
    without: 'the spawner takes a message of any length',
    changes: [{ file: 'runner/launcher/c/spawner.c', from: 'if (size > MAX_PLAN) return false;', to: '' }],
    test: host('the spawner ends at a message over its limit'),
    sees: /expected null to be \+0/,
  },
];
