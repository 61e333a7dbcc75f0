import { parseIpv4 } from './ipv4.ts';

/** True for an address of either family as a text: `10.0.0.1`, `fe80::1`. Pure, unlike node:net. */
export function isAddress(text: string): boolean {
  return parseIpv4(text) !== undefined || isIpv6(text);
}

/** RFC 4291 section 2.2, without the zone of RFC 4007. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  const [head = '', tail] = halves;
  if (halves.length > 2) return false;
  const groups = [...groupsOf(head), ...(tail === undefined ? [] : groupsOf(tail))];
  // Only the last may be a dotted quad, which stands for two.
  const count = groups.length + (groups.at(-1)?.includes('.') === true ? 1 : 0);
  const valid = groups.every((group, at) =>
    group.includes('.')
      ? at === groups.length - 1 && tail !== '' && parseIpv4(group) !== undefined
      : /^[0-9a-f]{1,4}$/i.test(group),
  );
  return valid && (tail === undefined ? count === 8 : count < 8);
}

function groupsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(':');
}
