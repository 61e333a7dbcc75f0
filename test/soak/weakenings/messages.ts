import { weakening, type Weakening } from '../weakening.ts';

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
  weakening(
    'end-of-the-buffer',
    bounds,
    'the decoder reads on behind the end of a plan',
    { file: decode, from: 'if (reader->bad || reader->left < size) {', to: 'if (reader->bad) {' },
    decoder('a plan cut anywhere'),
    /AddressSanitizer/,
  ),
  weakening(
    'length-of-a-text',
    bounds,
    'a text may be of any length',
    { file: decode, from: 'if (length > MAX_STRING) reader->bad = true;', to: '' },
    decoder('a text that is too long is refused'),
    /to be 1/,
  ),
  weakening(
    'zero-in-a-text',
    bounds,
    'a text may hold a zero byte',
    { file: decode, from: 'if (memchr(text, 0, (size_t)length + 1) != text + length) {', to: 'if (!text) {' },
    decoder('a text with a zero byte in it is refused'),
    /to be 1/,
  ),
  weakening(
    'number-of-texts',
    bounds,
    'there may be any number of arguments, whose room is fixed',
    { file: decode, from: 'if (strings.count > MAX_STRINGS) reader->bad = true;', to: '' },
    decoder('more texts than there is room for are refused'),
    /to be 1/,
  ),
  weakening(
    'number-of-operations',
    bounds,
    'a plan may have any number of operations',
    { file: decode, from: 'if (*count > MAX_OPERATIONS) return false;', to: '' },
    decoder('more operations than a plan may have are refused'),
    /to be 1/,
  ),
  weakening(
    'size-of-the-device-program',
    bounds,
    'a device program may be of any size',
    {
      file: decode,
      from: 'if (o->device_program.count == 0 || o->device_program.count > MAX_INSTRUCTIONS) r->bad = true;',
      to: '',
    },
    decoder('a device program of no or too many instructions is refused'),
    /to be 1/,
  ),
  weakening(
    'frame-of-the-shim',
    bounds,
    'the shim takes a frame of any length',
    {
      file: 'runner/launcher/c/connection.c',
      from: 'if (size > IN_SIZE - FRAME_HEADER) return connection_close(connection);',
      to: '',
    },
    host('a shim closes a connection that announces more than it takes'),
    /expected/,
  ),
  weakening(
    'frame-of-the-spawner',
    bounds,
    'the spawner takes a message of any length',
    { file: 'runner/launcher/c/spawner.c', from: 'if (size > MAX_PLAN) return false;', to: '' },
    host('the spawner ends at a message over its limit'),
    /expected/,
  ),
];
