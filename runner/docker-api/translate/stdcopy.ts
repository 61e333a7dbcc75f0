/** The streams of a multiplexed connection (moby pkg/stdcopy). */
const stdStream = { stdin: 0, stdout: 1, stderr: 2 } as const;

const headerBytes = 8;

/** A piece of output with the header that tells its stream: its number, three zeros, and the length, big-endian. */
export function stdFrame(stream: keyof typeof stdStream, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerBytes + payload.byteLength);
  frame[0] = stdStream[stream];
  new DataView(frame.buffer).setUint32(4, payload.byteLength);
  frame.set(payload, headerBytes);
  return frame;
}
